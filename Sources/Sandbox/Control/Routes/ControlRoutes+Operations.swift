import HTTPTypes
import OrderedCollections
import Transport

/// Clock, metrics, snapshots.
extension ControlRoutes {
    func addOperations() {
        on(.get, "/clock") { call in
            let clock = try call.world.clock
            return ["clock": .string(clock.mode.rawValue), "time": .int(clock.milliseconds)]
        }
        on(.post, "/clock/advance") { call in
            let clock = try call.world.clock
            guard clock.mode == .virtual else {
                throw ControlError(409, "real_clock", "the world's clock is real and cannot be advanced")
            }
            guard let milliseconds = try call.optionalNumber("ms", in: 0...31_536_000_000) else {
                throw ControlError.missing("ms")
            }
            clock.advance(by: Int(milliseconds))
            return ["clock": "virtual", "time": .int(clock.milliseconds)]
        }
        on(
            .get, "/metrics",
            answer: { call in
                .text(
                    call.host.controlWorlds.map(\.metrics).joined(),
                    contentType: "text/plain; version=0.0.4; charset=utf-8")
            })
        on(.post, "/snapshot", answer: { call in .bytes(call.host.snapshot(of: try call.world)) })
        on(
            .post, "/restore", takesBytes: true,
            answer: { call in
                let id = try call.world.id
                do {
                    return .json(try call.host.restoreWorld(id, from: call.bytes).summary)
                } catch let error as ControlError {
                    throw error
                } catch {
                    throw ControlError(422, "unreadable_snapshot", "the body is no snapshot of a world: \(error)")
                }
            })
        on(.post, "/reset") { call in try call.host.resetWorld(call.world.id).summary }
    }
}

extension World {
    /// Counters and gauges in the text format of Prometheus.
    fileprivate var metrics: String {
        let label = "{world=\"\(id)\"}"
        var lines: [String] = []
        func line(_ name: String, _ value: Int) { lines.append("sandbox_\(name)\(label) \(value)") }
        line("accounts", accounts.count)
        line("companions", accounts.values.reduce(0) { $0 + $1.companions.count })
        line("connections", connections.count)
        line("groups", groups.count)
        line("queued_stanzas", accounts.values.reduce(0) { $0 + $1.companions.reduce(0) { $0 + $1.queueLength } })
        line("connections_accepted_total", counters.connectionsAccepted)
        line("frames_received_total", counters.framesReceived)
        line("frames_sent_total", counters.framesSent)
        line("bytes_received_total", counters.bytesReceived)
        line("bytes_sent_total", counters.bytesSent)
        line("messages_relayed_total", counters.messagesRelayed)
        line("copies_queued_total", counters.copiesQueued)
        line("violations_total", counters.violations)
        line("reused_positions_total", counters.reusedPositions)
        line("unknown_iqs_total", counters.unknownIQs)
        line("queue_overflows_total", counters.queueOverflows)
        line("media_uploads_total", counters.mediaUploads)
        line("media_downloads_total", counters.mediaDownloads)
        line("media_bytes_received_total", counters.mediaBytesIn)
        line("media_bytes_sent_total", counters.mediaBytesOut)
        for (type, count) in events.counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            lines.append("sandbox_events_total{world=\"\(id)\",type=\"\(type.rawValue)\"} \(count)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
