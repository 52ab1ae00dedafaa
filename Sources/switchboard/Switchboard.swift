import ArgumentParser

@main
struct Switchboard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchboard",
        abstract: "A multi-tenant WhatsApp gateway.",
        discussion: """
            Try it without a phone: `switchboard dev` brings up a private PostgreSQL, a sandbox that plays WhatsApp, and \
            the gateway. Settings come from the environment and from .env; .env.example lists them all.
            """,
        version: Application.version,
        subcommands: [
            ServeCommand.self, DevCommand.self, SandboxCommand.self, MigrateCommand.self, DoctorCommand.self,
            BenchCommand.self,
        ])
}
