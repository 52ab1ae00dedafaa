import Hummingbird
import Logging

extension Edge {
    /// Counts the request and writes its line (13-configuration, section 12).
    func finish(
        _ route: String, _ response: Response, _ method: String, _ identity: Call.Identity?, client: String,
        requestID: String, since started: ContinuousClock.Instant
    ) {
        let status = response.status.code
        let duration = ContinuousClock.now - started
        metrics.ended(route, status: status, after: duration)
        let level: Logger.Level = status >= 500 ? .error : status == 401 || status == 429 ? .warning : .info
        guard accessLog.logLevel <= level else { return }
        var fields = RequestLog.metadata(requestID: requestID, identity)
        fields["method"] = "\(RequestLog.method(method))"
        fields["route"] = "\(route)"
        fields["status"] = "\(status)"
        fields["duration_ms"] = "\(RequestLog.milliseconds(duration))"
        fields["client"] = "\(client)"
        // Of a stream nobody knows it before its end.
        if let bytes = response.body.contentLength { fields["bytes"] = "\(bytes)" }
        accessLog.log(level: level, "request", metadata: fields)
    }
}
