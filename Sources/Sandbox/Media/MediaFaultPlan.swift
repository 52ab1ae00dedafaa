import Transport

/// What the fault rules do to one answer of the media server (09, section 23).
struct MediaFaultPlan: Sendable, Equatable {
    var isDropped = false
    var isReset = false
    var isTruncated = false
    var isCorrupt = false
    /// Milliseconds of real time.
    var delay = 0
    var bytesPerSecond: Int?
    /// Answered in place of what the server would say; the request has no effect then.
    var replacement: MediaAnswer?
}

extension World {
    /// Asks the rules about an upload (`kind` `upload`) or a download (`download`): `type` is the kind of media, `id` the file
    /// or token, `account` who uploads or uploaded.
    func faultPlan(for request: MediaRequest) -> MediaFaultPlan {
        var plan = MediaFaultPlan()
        guard let faults else { return plan }
        let isUpload = request.method == "POST"
        guard isUpload || request.method == "GET" || request.method == "HEAD" else { return plan }
        let target = Self.uploadTarget(request.path)
        let blob = MediaLink.name(inPath: request.path).flatMap { media.blob($0) }
        let subject = Stanza(
            "http",
            [
                "type": (target?.type ?? blob?.type).map { .text($0) },
                "id": (target?.token ?? blob?.name).map { .text($0) },
            ])
        let actions = faults.fire(
            at: FaultPoint(
                stage: isUpload ? .upload : .download, connection: nil,
                account: isUpload ? uploader(request) : blob?.owner, device: nil, stanza: subject))
        for action in actions {
            switch action {
            case .drop, .dropAnswer: plan.isDropped = true
            case .reset, .close: plan.isReset = true
            case .delay(let milliseconds), .stall(let milliseconds), .latency(let milliseconds, _):
                plan.delay += milliseconds
            case .httpTruncate: plan.isTruncated = true
            case .httpCorrupt: plan.isCorrupt = true
            case .httpSlow(let speed), .throttle(let speed): plan.bytesPerSecond = speed
            case .httpStatus(let code, let retryAfter):
                var answer = MediaAnswer.text(code, "fault")
                if let retryAfter { answer.headers["Retry-After"] = String(retryAfter) }
                plan.replacement = answer
            default: break
            }
        }
        return plan
    }
}
