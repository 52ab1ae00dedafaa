import Foundation
import Gateway
import GatewayTestSupport
import Testing

/// The gateway against 886 recorded exchanges with the reference server (10-rest-api, section 25).
@Suite("REST transcript")
struct RestTranscript {
    /// `API_ERROR_STATUS_MODE`.
    enum Mode: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case strict
        case reference

        var testDescription: String { "\(rawValue) statuses" }
    }

    /// How an exchange went.
    private enum Outcome {
        case exact
        case listed
        case failed
        /// No route of ours has this method and path yet.
        case withoutCounterpart
    }

    /// Requests that are about no route.
    private static let routeless: Set<String> = ["unknown route", "method not allowed", "CORS preflight"]

    @Test(
        "every recorded exchange is answered as recorded, or differs as the table of differences says",
        arguments: Mode.allCases)
    func replay(mode: Mode) async throws {
        let file = try VectorFile("rest-transcript")
        let exchanges = try file.cases.enumerated().map { try RestExchange($1, index: $0) }
        let settings = try RestWorld.settings(file.header, mode: mode)
        try await GatewayFixture.run(settings: settings) { first in
            try await GatewayFixture.run(settings: settings) { second in
                try await replay(exchanges, mode, RestWorld(first), RestWorld(second))
            }
        }
    }

    /// The record deletes its tenant, and the reference goes on serving the devices of it from its caches: what it asks of
    /// them afterwards is asked of a second world that is as the first was.
    private func replay(
        _ exchanges: [RestExchange], _ mode: Mode, _ first: RestWorld, _ second: RestWorld
    ) async throws {
        let routes = Set(first.gateway.routeNames.map(RestExchange.pattern))
        var unused = Set(RestDifferences.all.filter { $0.modes.contains(mode) })
        var outcomes: [(route: String, outcome: Outcome)] = []
        var isTenantDeleted = false
        for exchange in exchanges {
            guard routes.contains(exchange.route) || Self.routeless.contains(exchange.name) else {
                outcomes.append((exchange.route, .withoutCounterpart))
                continue
            }
            let isRevived = isTenantDeleted && exchange.tier == "device" && !exchange.name.hasPrefix("JWT after")
            let answer = try await (isRevived ? second : first).send(exchange)
            if exchange.route == "DELETE /admin/api-keys/{}", answer.status == 200 { isTenantDeleted = true }

            let deviations = exchange.deviations(of: answer)
            var unlisted: [Deviation] = []
            for deviation in deviations {
                let covering = RestDifferences.all.filter { $0.covers(deviation, of: exchange, in: mode) }
                if covering.isEmpty { unlisted.append(deviation) }
                unused.subtract(covering)
            }
            if !unlisted.isEmpty {
                let lines = unlisted.map { "  \($0)" }.joined(separator: "\n")
                Issue.record(
                    "[\(exchange.index)] \(exchange.route), \(exchange.name), \(mode.rawValue):\n\(lines)\n  \(answer.text)"
                )
            }
            outcomes.append((exchange.route, deviations.isEmpty ? .exact : unlisted.isEmpty ? .listed : .failed))
        }
        for difference in unused {
            Issue.record("listed, but no longer seen with \(mode.rawValue) statuses: \(difference)")
        }
        report(outcomes, mode)
    }

    private func report(_ outcomes: [(route: String, outcome: Outcome)], _ mode: Mode) {
        func count(_ outcome: Outcome) -> Int { outcomes.count { $0.outcome == outcome } }
        let without = outcomes.filter { $0.outcome == .withoutCounterpart }.map(\.route)
        print(
            """
            rest-transcript, \(mode.rawValue) statuses: \(outcomes.count - without.count) of \(outcomes.count) exchanges ran: \
            \(count(.exact)) as recorded, \(count(.listed)) by a listed difference, \(count(.failed)) failed; \
            \(without.count) without a counterpart
            """)
        guard mode == .strict else { return }
        for (route, all) in Dictionary(grouping: outcomes, by: \.route).sorted(by: { $0.key < $1.key }) {
            func number(_ outcome: Outcome) -> String { "\(all.count { $0.outcome == outcome })" }
            let columns = [number(.exact), number(.listed), number(.failed), number(.withoutCounterpart)]
            print("  \(columns.map { $0.leftPadded(to: 4) }.joined())  \(route)")
        }
    }
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
