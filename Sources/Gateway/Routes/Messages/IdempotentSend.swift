import Messaging
import NIOConcurrencyHelpers
import NIOCore
import Storage
import Tenancy

/// Idempotency keys whose first request is at work in this process.
final class RunningKeys: Sendable {
    private struct Name: Hashable {
        let did: Int64
        let key: String
    }

    private let names = NIOLockedValueBox<Set<Name>>([])

    /// False when the key is in use already.
    func begin(did: Int64, key: String) -> Bool {
        names.withLockedValue { $0.insert(Name(did: did, key: key)).inserted }
    }

    func end(did: Int64, key: String) {
        names.withLockedValue { _ = $0.remove(Name(did: did, key: key)) }
    }
}

extension RouteCatalogue {
    /// Runs a send once per `Idempotency-Key` (10-rest-api, section 12.1): a repeated request gets the first answer again.
    /// Without a key the send just runs.
    ///
    /// `chat` and `okText` are those of the answer that a repetition gets.
    ///
    /// The key's row is written with the send's intent and its answer with the send's result, in the same transactions.
    func idempotently(
        _ call: Call, _ session: any DeviceClient, chat: String, okText: String,
        _ send: @escaping @Sendable (Idempotency?) async throws -> Answer
    ) async throws -> Answer {
        guard let key = call.idempotencyKey else { return try await send(nil) }
        let scope = call.device.scope
        guard runningKeys.begin(did: scope.did, key: key) else { throw Self.inProgress }
        defer { runningKeys.end(did: scope.did, key: key) }
        let keys = IdempotencyRepository(dependencies.database)
        let mode = api.errorStatusMode
        let idempotency = Idempotency(key: key, requestHash: call.fingerprint) { result in
            switch result {
            case .success(let sent):
                return Self.stored(Self.sent(sent, chat: chat, okText: okText))
            case .failure(let error):
                let failure = APIError(error)
                let status = mode == .reference && failure.isServerErrorInReference ? 500 : failure.status
                return StoredAnswer(code: status, body: [UInt8](buffer: Envelope.failure(failure, status: status)))
            }
        }
        switch try await keys.state(scope, key: key) {
        case .done(let hash, let answer):
            guard hash == call.fingerprint else { throw APIError.idempotencyKeyReused }
            return Self.replayed(answer)
        case .running(let hash, _, let send):
            guard hash == call.fingerprint else { throw APIError.idempotencyKeyReused }
            // The process of the first request died; its message went on and this request has the same answer.
            guard let send else { throw Self.inProgress }
            let fate: SendFate
            if let known = send.fate {
                fate = known
            } else {
                // Nobody runs the device: it is what its row says, as to who asks for the message.
                let status = try await SendRepository(dependencies.database).status(scope, messageID: send.messageID)
                switch status?.state {
                case .queued(let until) where dependencies.sendQueue.isEnabled:
                    return Self.queued(messageID: send.messageID, chat: chat, until: until)
                case .failed(let reason, let code): fate = .failed(reason: reason, code: code)
                default: throw Self.inProgress
                }
            }
            let answer = idempotency.answer(fate.result(messageID: send.messageID, chat: send.chat))
            try await keys.finish(scope, key: key, answer: answer)
            return Self.replayed(answer)
        case nil: break
        }
        return try await send(idempotency)
    }

    private static func replayed(_ answer: StoredAnswer) -> Answer {
        Answer(status: answer.code, content: .body(ByteBuffer(bytes: answer.body), contentType: "application/json"))
            .with("Idempotent-Replayed", "true")
    }

    private static func stored(_ answer: Answer) -> StoredAnswer {
        guard case .envelope(let message, let data) = answer.content else {
            return StoredAnswer(code: answer.status, body: [])
        }
        let body = Envelope.success(status: answer.status, message: message, data: data)
        return StoredAnswer(code: answer.status, body: [UInt8](buffer: body))
    }

    private static let inProgress = APIError(409, "idempotency_in_progress", "request in progress", retryAfter: 1)
}
