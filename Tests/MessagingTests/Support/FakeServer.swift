import Cryptography
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Signal
import Testing
import Transport

@testable import Messaging

/// The server side of a session in memory: logs what the client sends, answers requests by the book, lets a test say and do
/// everything else. Runs on the session's loop.
final class FakeServer: SessionConnector, @unchecked Sendable {
    // Safe: every mutable member is guarded by `lock`.
    private let lock = NIOLock()
    private var log: [Stanza] = []
    private var waiters: [(match: @Sendable (Stanza) -> Bool, promise: EventLoopPromise<Stanza>)] = []
    private var scanned = 0
    private(set) var requests: [ConnectRequest] = []
    private var current: FakeConnection?

    let eventLoop: any EventLoop

    /// What the server knows.
    struct World {
        /// Devices per bare user.
        var devices: [JID: [UInt16]] = [:]
        var lids: [JID: JID] = [:]
        var bundles: [JID: FakeDevice] = [:]
        var groups: [JID: Stanza] = [:]
        var preKeyCount = 812
        var acknowledgesMessages = true
        var ackExtra: StanzaAttributes = [:]
        var answersRequests = true
        /// Questions about these people are not answered.
        var silent: Set<JID> = []
        /// Requests that are refused, by the tag of their child, with this code.
        var refusals: [String: Int] = [:]
        /// Follows the answer to the request to remove the device, in the same read.
        var afterUnlink: [Stanza] = []
        var refusesConnections = false
        /// Ref in the answer to companion_hello.
        var pairingRef = "ref-1"
        /// Answer to a question for passkey options.
        var passkeyOptions = "{}"
        /// So many prologues are refused with 400.
        var refusedPrologues = 0
        var time: Int64 = 1_767_323_045
        /// First stanza on a connection.
        var greeting: (@Sendable (ConnectRequest) -> [Stanza])?
    }

    private var storedWorld = World()
    var world: World {
        get { lock.withLock { storedWorld } }
        set { lock.withLock { storedWorld = newValue } }
    }

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    struct Refused: Error {}

    func connect(
        _ request: ConnectRequest, on eventLoop: any EventLoop, handler: any SessionConnectionHandler
    ) -> EventLoopFuture<any SessionConnection> {
        let world = world
        if world.refusesConnections { return eventLoop.makeFailedFuture(Refused()) }
        let connection = FakeConnection(server: self, handler: handler, eventLoop: eventLoop)
        lock.withLock {
            requests.append(request)
            current = connection
        }
        for stanza in world.greeting?(request) ?? [] {
            eventLoop.execute { connection.deliver(stanza) }
        }
        return eventLoop.makeSucceededFuture(connection)
    }

    var connection: FakeConnection? { lock.withLock { current } }
    var connectCount: Int { lock.withLock { requests.count } }
    var sent: [Stanza] { lock.withLock { log } }

    func clearLog() {
        lock.withLock {
            log = []
            scanned = 0
        }
    }

    /// Delivers to the running connection.
    func deliver(_ stanza: Stanza) {
        eventLoop.execute { self.connection?.deliver(stanza) }
    }

    /// Answers the requests that came while `answersRequests` was off, and from now on all.
    func answerRequests() {
        world.answersRequests = true
        for stanza in sent where stanza.tag == "iq" { for answer in answers(to: stanza) { deliver(answer) } }
    }

    /// Breaks the socket.
    func drop(_ reason: String = "socket closed") {
        eventLoop.execute { self.connection?.breakOff(reason) }
    }

    fileprivate func received(_ stanza: Stanza, on connection: FakeConnection) {
        let ready = lock.withLock {
            // Pings come by the clock of the machine and are nothing that a test asked for.
            if stanza["xmlns"] != "w:p" { log.append(stanza) }
            let ready = waiters.filter { $0.match(stanza) }
            waiters.removeAll { $0.match(stanza) }
            return ready
        }
        for waiter in ready { waiter.promise.succeed(stanza) }
        for answer in answers(to: stanza) { eventLoop.execute { connection.deliver(answer) } }
    }

    /// The first stanza that matches, sent already or within a minute.
    func stanza(
        _ what: String, where match: @escaping @Sendable (Stanza) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Stanza {
        let promise = eventLoop.makePromise(of: Stanza.self)
        let timeout = eventLoop.scheduleTask(in: .seconds(60)) { promise.fail(Missing(what: what)) }
        let found = lock.withLock { () -> Stanza? in
            if let found = log.first(where: match) { return found }
            waiters.append((match, promise))
            return nil
        }
        if let found { promise.succeed(found) }
        defer { timeout.cancel() }
        return try await promise.futureResult.get()
    }

    struct Missing: Error { var what: String }

    /// Whether the client reads its socket.
    func isReading() async -> Bool {
        (try? await eventLoop.submit { self.connection?.isReading ?? true }.get()) ?? true
    }

    /// Forgets the running connection without telling the client, which is gone.
    func abandon() { lock.withLock { current = nil } }

    /// Turns of the loop, for "nothing happens" checks.
    func settle() async throws {
        for _ in 0..<20 { try await eventLoop.submit {}.get() }
    }

    // MARK: Answers

    private func answers(to stanza: Stanza) -> [Stanza] {
        let world = world
        switch stanza.tag {
        case "message":
            guard world.acknowledgesMessages else { return [] }
            let base: StanzaAttributes = [
                "class": "message", "id": stanza.attributes["id"], "from": stanza.attributes["to"],
                "t": .int(world.time),
            ]
            return [Stanza("ack", base.merging(world.ackExtra))]
        case "iq" where world.answersRequests && (stanza.type == "get" || stanza.type == "set"):
            let asked = stanza.child("usync", "list")?.children("user").compactMap { $0.jid("jid") } ?? []
            if !world.silent.isDisjoint(with: asked) { return [] }
            let unlinks = stanza.child("remove-companion-device") != nil
            return [answer(stanza, world)] + (unlinks ? world.afterUnlink : [])
        default: return []
        }
    }

    private func answer(_ stanza: Stanza, _ world: World) -> Stanza {
        var children: [Stanza] = []
        if let code = stanza.firstChild.flatMap({ world.refusals[$0.tag] }) { return error(stanza, code, "refused") }
        switch stanza["xmlns"] {
        case "encrypt":
            if stanza.child("count") != nil { children = [Stanza("count", ["value": .int(world.preKeyCount)])] }
            if let key = stanza.child("key") {
                let users = key.children("user").compactMap { $0.jid("jid") }
                children = [
                    Stanza("list", children: users.compactMap { jid in world.bundles[jid]?.bundleNode(as: jid) })
                ]
            }
            if stanza.child("digest") != nil { return error(stanza, 501, "feature-not-implemented") }
        case "usync": children = [usync(stanza, world)]
        case "w:g2":
            guard let group = stanza.to, let node = world.groups[group] else {
                return error(stanza, 404, "item-not-found")
            }
            children = [node]
        case "privacy" where stanza.type == "get": children = [Stanza("privacy")]
        case "md" where stanza.child("link_code_companion_reg")?["stage"] == "companion_hello":
            children = [
                Stanza(
                    "link_code_companion_reg", ["stage": "companion_hello"],
                    children: [Stanza("link_code_pairing_ref", bytes: Array(world.pairingRef.utf8))])
            ]
        case "md" where stanza.child("ref") != nil:
            children = [Stanza("ref", bytes: Array(world.pairingRef.utf8))]
        case "md" where stanza.child("passkey_request_options") != nil:
            children = [Stanza("passkey_request_options", bytes: Array(world.passkeyOptions.utf8))]
        case "md" where stanza.child("passkey_prologue") != nil && world.refusedPrologues > 0:
            lock.withLock { storedWorld.refusedPrologues -= 1 }
            return error(stanza, 400, "bad-request")
        default: break
        }
        return Stanza(
            "iq", ["id": stanza.attributes["id"], "type": "result", "from": .jid(.serverJID)], children: children)
    }

    private func error(_ stanza: Stanza, _ code: Int, _ text: String) -> Stanza {
        Stanza(
            "iq", ["id": stanza.attributes["id"], "type": "error", "from": .jid(.serverJID)],
            children: [Stanza("error", ["code": .int(code), "text": .text(text)])])
    }

    private func usync(_ stanza: Stanza, _ world: World) -> Stanza {
        let users = stanza.child("usync", "list")?.children("user") ?? []
        return Stanza(
            "usync", stanza.child("usync")?.attributes ?? [:],
            children: [
                Stanza("list", children: users.compactMap { user(for: $0, world) })
            ])
    }

    private func user(for asked: Stanza, _ world: World) -> Stanza? {
        if let contact = asked.child("contact")?.textContent {
            let pn = JID.user(contact.filter { $0.isNumber })
            let isIn = world.lids[pn] != nil
            return Stanza(
                "user", ["jid": isIn ? world.lids[pn].map(AttributeValue.jid) : nil, "pn_jid": .jid(pn)],
                children: [Stanza("contact", ["type": isIn ? "in" : "out"], bytes: Array(contact.utf8))])
        }
        guard let jid = asked.jid("jid") else { return nil }
        var children: [Stanza] = []
        if let devices = world.devices[jid] {
            let list = devices.map { id in
                Stanza("device", ["id": .int(id), "key-index": id == 0 ? nil : .int(id)])
            }
            children.append(Stanza("devices", children: [Stanza("device-list", children: list)]))
        }
        if let lid = world.lids[jid] { children.append(Stanza("lid", ["val": .jid(lid)])) }
        return children.isEmpty ? nil : Stanza("user", ["jid": .jid(jid)], children: children)
    }
}

final class FakeConnection: SessionConnection, @unchecked Sendable {
    // Safe: used on one event loop only.
    private unowned let server: FakeServer
    private var handler: (any SessionConnectionHandler)?
    private let eventLoop: any EventLoop
    private(set) var isReading = true
    private(set) var isWritable = true

    init(server: FakeServer, handler: any SessionConnectionHandler, eventLoop: any EventLoop) {
        self.server = server
        self.handler = handler
        self.eventLoop = eventLoop
    }

    func send(_ stanza: Stanza) -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        guard handler != nil else { return eventLoop.makeFailedFuture(FakeServer.Refused()) }
        server.received(stanza, on: self)
        return eventLoop.makeSucceededVoidFuture()
    }

    func close() {
        // As the real connection: on the loop, the handler hears of it before this returns.
        eventLoop.preconditionInEventLoop()
        breakOff("closed by us")
    }

    func setReading(_ isOn: Bool) { isReading = isOn }

    /// As the socket of the client fills up, or empties.
    func setWritable(_ isOn: Bool) {
        isWritable = isOn
        handler?.writabilityChanged()
    }

    func deliver(_ stanza: Stanza) { handler?.received(stanza) }

    func breakOff(_ reason: String) {
        let handler = handler
        self.handler = nil
        handler?.closed(reason)
    }
}
