import Messaging
import NIOConcurrencyHelpers
import NIOCore
import Transport

/// Opens connections through another connector, as ``ConnectAdmission`` lets them. An attempt that is not wanted any more
/// when its turn comes is given up as `unwanted`.
package final class AdmittingConnector: SessionConnector {
    private struct Attempt: Sendable {
        let eventLoop: any EventLoop
        let loop: Int
        let begin: @Sendable () -> Void
    }

    private struct State {
        var admission: ConnectAdmission
        var attempts: [UInt64: Attempt] = [:]
        var nextID: UInt64 = 0
        var loops: [ObjectIdentifier: Int] = [:]
        var isTimerSet = false
    }

    private let base: any SessionConnector
    private let origin = NIODeadline.now()
    private let state: NIOLockedValueBox<State>

    package init(_ base: any SessionConnector, limits: ConnectAdmission.Limits = ConnectAdmission.Limits()) {
        self.base = base
        state = NIOLockedValueBox(State(admission: ConnectAdmission(limits: limits, now: 0)))
    }

    package func connect(
        _ request: ConnectRequest, on eventLoop: any EventLoop, handler: any SessionConnectionHandler
    ) -> EventLoopFuture<any SessionConnection> {
        let promise = eventLoop.makePromise(of: (any SessionConnection).self)
        state.withLockedValue { state in
            let key = ObjectIdentifier(eventLoop)
            let loop = state.loops[key] ?? state.loops.count
            state.loops[key] = loop
            state.nextID += 1
            state.attempts[state.nextID] = Attempt(eventLoop: eventLoop, loop: loop) { [self] in
                guard handler.isWanted else {
                    promise.fail(ConnectFailure.unwanted)
                    return ended(loop, hasFailed: false)
                }
                let attempt = base.connect(request, on: eventLoop, handler: handler)
                attempt.whenComplete { result in
                    switch result {
                    case .success, .failure(ConnectFailure.unwanted): self.ended(loop, hasFailed: false)
                    case .failure: self.ended(loop, hasFailed: true)
                    }
                }
                attempt.cascade(to: promise)
            }
            state.admission.enqueue(
                id: state.nextID, loop: loop, exit: request.proxyURL,
                isUrgent: request.isPairing || request.isUrgent)
        }
        admit()
        return promise.futureResult
    }

    private func ended(_ loop: Int, hasFailed: Bool) {
        state.withLockedValue { $0.admission.finished(loop: loop, hasFailed: hasFailed, now: now) }
        admit()
    }

    private var now: Double { Double((NIODeadline.now() - origin).nanoseconds) / 1_000_000_000 }

    private func admit() {
        let (begin, timer) = state.withLockedValue { state -> ([Attempt], (any EventLoop, Double)?) in
            let (ids, retryAfter) = state.admission.admit(now: now)
            let begin = ids.compactMap { state.attempts.removeValue(forKey: $0) }
            guard let retryAfter, !state.isTimerSet, let loop = state.attempts.values.first?.eventLoop else {
                return (begin, nil)
            }
            state.isTimerSet = true
            return (begin, (loop, retryAfter))
        }
        for attempt in begin { attempt.eventLoop.execute(attempt.begin) }
        if let (loop, seconds) = timer {
            loop.scheduleTask(in: .milliseconds(Int64(seconds * 1000) + 1)) { [self] in
                state.withLockedValue { $0.isTimerSet = false }
                admit()
            }
        }
    }
}
