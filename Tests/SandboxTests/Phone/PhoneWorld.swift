import Cryptography
import Foundation
import NIOCore
import Sandbox
import Signal
import Transport

/// A world without sockets: accounts and their phones.
@SandboxActor
struct PhoneWorld {
    let world: World
    let phones: Phones

    init(seed: String = "phones", store: any WorldStore = MemoryStore()) throws {
        world = try World(
            id: "default", seed: Bytes(seed.utf8), clock: SandboxClock(mode: .virtual, start: 1_700_000_000),
            settings: WorldSettings(), store: store)
        world.installEngines()
        guard let phones = world.phones else { throw TestFailure("no phones") }
        self.phones = phones
    }

    @discardableResult
    func phone(_ number: String, _ change: (inout Account.Automatic) -> Void = { _ in }) throws -> Phone {
        var draft = AccountDraft(phone: number, pushName: "P\(number.suffix(2))")
        change(&draft.automatic)
        return phones.phone(of: try world.createAccount(draft))
    }

    /// Lets the world come to rest: every turn that is due has run.
    func settle() async {
        for _ in 0..<20 {
            await withCheckedContinuation { done in SandboxActor.later { done.resume() } }
        }
    }

    func events(_ type: EventType) -> [SandboxEvent] { world.events.events(since: 0) { $0.type == type } }
}

extension Phone {
    /// Texts of the messages that came in.
    var received: [String] { log.messages(direction: .incoming).compactMap(\.message.text) }
    var sent: [PhoneMessage] { log.messages(direction: .outgoing) }
}
