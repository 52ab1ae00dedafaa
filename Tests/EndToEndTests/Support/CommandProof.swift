/// What runs a command of the documentation.
enum CommandProof {
    /// `CommandTests` runs it, with these values in place of those of its options, and sees this in what it says.
    case small([String: String], shows: String)
    /// Another test or script runs it; this text of that file says so.
    case elsewhere(String, text: String)
    /// An `sh` block of the page, which `TourTests` runs, has it.
    case page(String)
    /// Nothing runs it, for this reason; that it names what there is, is checked.
    case checked(String)

    /// Every command, as `DocumentedCommands.Line.command` gives it. One that stands in the documentation and not here
    /// fails the test, and so does one that stands here alone.
    static let all: [String: CommandProof] = [
        // The product.
        "scripts/run": .elsewhere("scripts/check-run", text: "scripts/run --data-dir"),
        "switchboard dev": .elsewhere("Tests/EndToEndTests/Support/DevProcess.swift", text: #""dev", "--data-dir""#),
        "switchboard serve": .page("docs/operations.md"),
        "switchboard sandbox": .page("docs/sandbox.md"),
        "switchboard migrate": .page("docs/operations.md"),
        "switchboard doctor": .page("docs/operations.md"),
        "switchboard --version": .small([:], shows: "0."),
        "switchboard migrate --after-restore": .elsewhere(
            "Tests/EndToEndTests/CommandTests.swift", text: #"["migrate", "--after-restore"]"#),
        "scripts/check-backup": .elsewhere("scripts/test", text: "\n    scripts/check-backup"),

        // Benchmarks: their figures in a test mean nothing, that they end well does.
        "switchboard bench": .checked("all of it takes minutes in a debug build; one group of it is run"),
        "switchboard bench --json": .checked(
            "all of it takes minutes in a debug build; one group of it is run here, with --json by scripts/check-run"),
        "switchboard bench --filter signal": .small(["--seconds": "0.01"], shows: "signal encrypt"),
        "switchboard bench webhooks": .small(
            ["--devices": "4", "--events": "200", "--rate": "50", "--duration": "1", "--pending": "20"],
            shows: "with 20 pending"),
        "switchboard bench webhooks --rate 0 --pending ''": .small(
            ["--devices": "4", "--events": "200"], shows: "events stored and delivered"),
        "switchboard bench webhooks --skip-throughput --pending '' --rate 1000 --duration 60": .small(
            ["--devices": "4", "--rate": "50", "--duration": "1"], shows: "durable to delivered at 50/s"),
        "switchboard bench webhooks --skip-throughput --rate 0 --pending 1000,10000,100000,1000000": .small(
            ["--devices": "4", "--pending": "20,40"], shows: "with 40 pending"),
        "switchboard bench webhooks --skip-throughput --pending '' --rate 500 --slow 64": .checked(
            "its slow endpoints take half a minute for each answer; AttemptTests and DeliveryTests have the same with clocks"
        ),
        "switchboard bench webhook-faults --events 20000": .elsewhere(
            "Tests/EndToEndTests/WebhookFaultTests.swift", text: #""bench", "webhook-faults", "--events", "400""#),
        "switchboard bench load": .elsewhere(
            "Tests/EndToEndTests/Support/CommandProof.swift", text: "bench load start"),
        "switchboard bench load start http token send receive --data-dir /var/tmp/load --devices 64": .small(
            ["--data-dir": "DIRECTORY", "--devices": "2", "--duration": "0.2", "--runs": "1"],
            shows: "stanza in to webhook answered, sustained"),
        "switchboard bench load lag --data-dir /var/tmp/load --devices 1000": .small(
            ["--data-dir": "DIRECTORY", "--devices": "2", "--duration": "0.2", "--runs": "1"],
            shows: "beside pages of devices"),
        "switchboard bench load cost --data-dir /var/tmp/load --devices 1000": .small(
            ["--data-dir": "DIRECTORY", "--devices": "2", "--duration": "0.2", "--runs": "1"],
            shows: "16 callers over 2 devices"),
        "switchboard bench load restart idle --data-dir /var/tmp/load --devices 1000": .checked(
            "memory is read after two minutes of rest, however few the devices"),
        "switchboard bench load cost --data-dir /var/tmp/load --devices 1000 --sql scripts/bench/messages.sql":
            .checked(
                "the file makes a million rows, whatever the options; without --sql the same command is run"),

        // For contributors.
        "scripts/test": .checked("it runs this test"),
        "scripts/test --filter Signal": .checked("it runs this test"),
        "scripts/format": .elsewhere("scripts/test", text: "scripts/format --lint"),
        "scripts/embed-migrations": .elsewhere("Tests/EndToEndTests/CommandTests.swift", text: "embed-migrations"),
        "scripts/embed-dashboard": .elsewhere("Tests/EndToEndTests/CommandTests.swift", text: "embed-dashboard"),
        "scripts/test-dashboard": .elsewhere("scripts/test", text: "or_missing scripts/test-dashboard"),
        "scripts/fuzz 60 stanza": .elsewhere("scripts/test", text: "scripts/fuzz 5"),
        "scripts/chaos": .checked("a quarter of an hour; ChaosTests is what it runs, and has a small form"),
        "scripts/chaos 100 5 1 10 7": .checked("minutes; ChaosTests is what it runs, and has a small form"),
        "swift test --filter DeterministicChaos": .checked(
            "an hour with 5,000 seeds; the suite is one of the tests, with fewer"),
        "swift build -c release --product switchboard": .checked("a release build takes a quarter of an hour"),

        // deploy/
        "docker build -f deploy/Dockerfile -t switchboard .": .checked(
            "half an hour and a network; DeployTests reads what the file copies and installs"),
        "cp ../.env.example .env": .elsewhere("scripts/check-deploy", text: #"head("compose.yaml")"#),
        #"echo "POSTGRES_PASSWORD=$(openssl rand -hex 24)" >> .env"#: .elsewhere(
            "scripts/check-deploy", text: #"head("compose.yaml")"#),
        "docker compose up -d --build": .elsewhere("scripts/check-deploy", text: "config --quiet"),
        "docker compose -f compose.yaml -f compose.sandbox.yaml up -d --build": .elsewhere(
            "scripts/check-deploy", text: "config --quiet"),
        "install -D -m 0755 switchboard /usr/local/bin/switchboard": .elsewhere(
            "scripts/check-deploy", text: #"startswith("install ")"#),
        "install -D -m 0640 -g switchboard .env /etc/switchboard/env": .elsewhere(
            "scripts/check-deploy", text: #"startswith("install ")"#),
        "install -D -m 0644 switchboard.service /etc/systemd/system/switchboard.service": .elsewhere(
            "scripts/check-deploy", text: #"startswith("install ")"#),
        #"kubectl -n switchboard create secret generic switchboard --from-literal=WHATSAPP_DATASTORE_URI='postgresql://user:password@host/switchboard' --from-literal=ADMIN_SECRET_KEY="$(openssl rand -hex 24)" --from-literal=JWT_SECRET_KEY="$(openssl rand -hex 32)" --from-literal=SECRETS_KEY="$(openssl rand -base64 32)""#:
            .elsewhere("scripts/check-deploy", text: "--dry-run=client"),
        "useradd --system --home-dir /var/lib/switchboard --shell /usr/sbin/nologin switchboard": .checked(
            "it makes a user of the machine"),
        "sudo -u switchboard sh -c 'set -a; . /etc/switchboard/env; switchboard doctor' && systemctl enable --now switchboard":
            .elsewhere(
                "Tests/EndToEndTests/CommandTests.swift", text: "set -a; . /etc/switchboard/env; switchboard doctor"),
    ]
}
