import OrderedCollections
import Transport

/// The fault rules and answer overrides of a world at the server's hook points: asks the engine, tells the event log, hands
/// on the actions.
@SandboxActor
package final class WorldFaults: FaultInjector {
    private static let stream = "faults"

    private unowned let world: World
    private var engine = FaultEngine()
    private var nextHandlerID = 1
    /// Newest last; the newest that matches answers.
    package private(set) var handlers: [IQHandler] = []

    package init(world: World) { self.world = world }

    package var rules: [FaultRule] { engine.rules }

    package func add(_ rule: FaultRule) -> FaultRule { engine.add(rule) }

    /// Returns false when there is no such rule.
    package func remove(_ id: Int) -> Bool { engine.remove(id) }

    package func removeAll() { engine.removeAll() }

    package func add(_ handler: IQHandler) -> IQHandler {
        var handler = handler
        handler.id = nextHandlerID
        nextHandlerID += 1
        handlers.append(handler)
        return handler
    }

    package func removeHandlers() { handlers.removeAll() }

    package func fire(at point: FaultPoint) -> [FaultAction] {
        guard !engine.isEmpty || !handlers.isEmpty else { return [] }
        let subject = FaultSubject(point)
        if point.stage == .inbound, let request = point.stanza,
            let handler = handlers.last(where: { $0.handles(subject) }),
            let connection = point.connection.flatMap({ world.connections[$0] })
        {
            connection.send(handler.answer(to: request))
            return [.drop]
        }
        let firings = engine.fire(on: subject, now: world.clock.seconds) {
            Double(world.random.number(Self.stream, below: 1_000_000)) / 1_000_000
        }
        return firings.compactMap { firing in
            guard let action = firing.effect.action(on: point.stanza) else { return nil }
            world.events.emit(
                .faultFired, account: point.account, device: point.device, connection: point.connection,
                ["rule": .number(firing.rule), "action": firing.effect.json])
            return action
        }
    }
}
