import Testing

@testable import Database

@Suite("Exchange: which answer belongs to which request")
struct ExchangeTests {
    private let failure = ServerError(
        sqlState: .uniqueViolation, severity: "ERROR", message: "", detail: nil, hint: nil, table: nil, column: nil,
        constraint: nil, statement: nil, position: nil)

    @Test("a pipeline ends with its synchronization mark after the last answer")
    func pipeline() {
        var exchange = Exchange<Int>.pipeline(requests: 2)
        let outcome1 = exchange.received(.result(1))
        #expect(outcome1 == .waiting)
        let outcome2 = exchange.received(.endOfResults)
        #expect(outcome2 == .waiting)
        let outcome3 = exchange.received(.result(2))
        #expect(outcome3 == .waiting)
        let outcome4 = exchange.received(.endOfResults)
        #expect(outcome4 == .waiting)
        let outcome5 = exchange.received(.synchronized)
        #expect(outcome5 == .finished)
        #expect(exchange.outputs == [1, 2])
        #expect(exchange.firstFailure == nil)
    }

    @Test("after a failure the rest is skipped and the first failure stands")
    func failures() {
        var exchange = Exchange<Int>.pipeline(requests: 3)
        for answer in [
            Exchange<Int>.Answer.result(1), .endOfResults, .failure(failure), .endOfResults, .skipped, .endOfResults,
        ] {
            let outcome6 = exchange.received(answer)
            #expect(outcome6 == .waiting)
        }
        let outcome7 = exchange.received(.synchronized)
        #expect(outcome7 == .finished)
        #expect(exchange.outputs == [1])
        #expect(exchange.firstFailure == failure)
    }

    @Test("a script takes any number of results until they end")
    func script() {
        var exchange = Exchange<Int>.script()
        let outcome8 = exchange.received(.result(1))
        #expect(outcome8 == .waiting)
        let outcome9 = exchange.received(.result(2))
        #expect(outcome9 == .waiting)
        let outcome10 = exchange.received(.endOfResults)
        #expect(outcome10 == .finished)
        let outcome11 = exchange.received(.endOfResults)
        #expect(outcome11 == .outOfStep)
    }

    @Test("answers that fit no request are out of step")
    func outOfStep() {
        var early = Exchange<Int>.pipeline(requests: 1)
        let outcome12 = early.received(.synchronized)
        #expect(outcome12 == .outOfStep)
        var twice = Exchange<Int>.pipeline(requests: 1)
        _ = twice.received(.result(1))
        let outcome13 = twice.received(.result(1))
        #expect(outcome13 == .outOfStep)
        var surplus = Exchange<Int>.pipeline(requests: 0)
        let outcome14 = surplus.received(.result(1))
        #expect(outcome14 == .outOfStep)
    }
}

@Suite("Pool: who gets which connection")
struct PoolStateMachineTests {
    private typealias Machine = PoolStateMachine<Int, String>

    private func number(_ acquisition: Machine.Acquisition) -> UInt64? {
        if case .wait(let number, _) = acquisition { number } else { nil }
    }

    private func opens(_ acquisition: Machine.Acquisition) -> Bool {
        if case .wait(_, let open) = acquisition { open } else { false }
    }

    @Test("opens up to the limit, then callers wait in turn")
    func limit() {
        var machine = Machine(limit: 2, minimum: 0)
        let acquisitions = ["a", "b", "c"].map { name in machine.acquire { name } }
        #expect(acquisitions.map(opens) == [true, true, false])
        guard case .handOver(1, "a") = machine.opened(1), case .handOver(2, "b") = machine.opened(2) else {
            Issue.record("wrong order")
            return
        }
        guard case .handOver(1, "c") = machine.released(1, reusable: true).placement else {
            Issue.record("c was next")
            return
        }
        guard case .park(2) = machine.released(2, reusable: true).placement else {
            Issue.record("nobody waits")
            return
        }
        guard case .use(2) = machine.acquire({ "d" }) else {
            Issue.record("2 was idle")
            return
        }
    }

    @Test("a caller that gives up is passed over, and one that was served cannot give up")
    func withdrawal() {
        var machine = Machine(limit: 1, minimum: 0)
        let first = number(machine.acquire { "a" })
        let second = number(machine.acquire { "b" })
        let outcome15 = machine.withdraw(first ?? 0)
        #expect(outcome15 == "a")
        guard case .handOver(1, "b") = machine.opened(1) else {
            Issue.record("b was next")
            return
        }
        let outcome16 = machine.withdraw(second ?? 0)
        #expect(outcome16 == nil)
    }

    @Test("while opening fails one attempt at a time is made, with growing pauses, as long as somebody waits")
    func backoff() {
        var machine = Machine(limit: 4, minimum: 0)
        let waiter = number(machine.acquire { "a" })
        let outcome17 = machine.openFailed()
        #expect(outcome17 == .openAfter(.milliseconds(100)))
        let second = machine.acquire { "b" }
        #expect(!opens(second))
        let outcome18 = machine.retryOpening()
        #expect(outcome18)
        let outcome19 = machine.openFailed()
        #expect(outcome19 == .openAfter(.milliseconds(200)))
        for _ in 0..<10 { _ = machine.openFailed() }
        let outcome20 = machine.openFailed()
        #expect(outcome20 == .openAfter(.milliseconds(5000)))
        _ = machine.withdraw(waiter ?? 0)
        _ = machine.withdraw(2)
        let outcome21 = machine.retryOpening()
        #expect(!outcome21)
        #expect(machine.total == 0)
        let third = machine.acquire { "c" }
        #expect(opens(third))
    }

    @Test("a broken connection is replaced when somebody waits for one")
    func replacement() {
        var machine = Machine(limit: 1, minimum: 0)
        _ = machine.acquire { "a" }
        _ = machine.opened(1)
        _ = machine.acquire { "b" }
        let released = machine.released(1, reusable: false)
        guard case .close(1) = released.placement else {
            Issue.record("1 is broken")
            return
        }
        #expect(released.reopening == .openNow)
        guard case .handOver(2, "b") = machine.opened(2) else {
            Issue.record("b waits")
            return
        }
        _ = machine.released(2, reusable: true)
        let outcome22 = machine.broke(2)
        #expect(outcome22 == .nothing)
        #expect(machine.idleCount == 0)
    }

    @Test("connections that nobody needed since the last look are let go, down to the minimum")
    func trimming() {
        var machine = Machine(limit: 4, minimum: 1)
        for member in 1...4 {
            _ = machine.acquire { "\(member)" }
            _ = machine.opened(member)
        }
        for member in 1...4 { _ = machine.released(member, reusable: true) }
        let first = machine.trim()
        #expect(first == [])
        // Two at once were needed in this interval, so two of the four were not.
        _ = machine.acquire { "a" }
        _ = machine.acquire { "b" }
        for member in [3, 4] { _ = machine.released(member, reusable: true) }
        let second = machine.trim()
        #expect(second == [1, 2])
        let third = machine.trim()
        #expect(third == [3])
        #expect(machine.total == 1)
    }

    @Test("after shutdown callers are refused and connections are closed as they come back")
    func shutdown() {
        var machine = Machine(limit: 1, minimum: 0)
        _ = machine.acquire { "a" }
        _ = machine.opened(1)
        _ = machine.acquire { "b" }
        let outcome23 = machine.shutdown().refuse
        #expect(outcome23 == ["b"])
        guard case .refused = machine.acquire({ "c" }), case .close(1) = machine.released(1, reusable: true).placement
        else {
            Issue.record("the pool is shut down")
            return
        }
    }
}

@Suite("Connection text")
struct ConnectionParametersTests {
    @Test(
        "options of other drivers are dropped, libpq's are kept",
        arguments: [
            "postgres://u:p@h:5433/db?sslmode=disable&statement_cache_capacity=0&default_query_exec_mode=exec&pool_max_conns=5",
            "host=h port=5433 user=u password=p dbname=db statement_cache_capacity=0 pool_max_conns='5' default_query_exec_mode=exec sslmode=disable",
        ])
    func foreignOptions(text: String) throws {
        let parameters = try ConnectionParameters(text)
        #expect(parameters.values["host"] == "h")
        #expect(parameters.values["port"] == "5433")
        #expect(parameters.values["password"] == "p")
        #expect(parameters.values["dbname"] == "db")
        #expect(parameters.values["sslmode"] == "disable")
        #expect(Set(parameters.ignored) == ["statement_cache_capacity", "default_query_exec_mode", "pool_max_conns"])
        #expect(parameters.place == "h/db")
    }

    @Test(
        "text that cannot be understood is refused without repeating it",
        arguments: ["host=", "=x", "postgres://[", "a b c"])
    func malformed(text: String) {
        do {
            let parameters = try ConnectionParameters(text)
            #expect(parameters.values["host"]?.isEmpty ?? true)
        } catch let error as DatabaseError {
            guard case .invalidConfiguration = error else {
                Issue.record("\(error)")
                return
            }
        } catch {
            Issue.record("\(error)")
        }
    }
}
