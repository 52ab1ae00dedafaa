import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// What becomes of a connection once its handshake is through (09, section 6).
extension World {
    func admit(_ connection: ClientConnection, clientKey: PublicKey, payload: Bytes) {
        guard let client = try? ConnectingClient(payload: payload) else {
            violation("client_payload", "not a ClientPayload", connection: connection)
            return refuse(connection, .failure(reason: 400))
        }
        if let pairingData = client.pairingData, client.username == nil {
            return register(connection, clientKey: clientKey, client: client, pairingData: pairingData)
        }
        guard let username = client.username else {
            violation("client_payload", "neither registration nor login", connection: connection)
            return refuse(connection, .failure(reason: 400))
        }
        let account = accounts[String(username)]
        let device = client.device.flatMap { UInt16(exactly: $0) }.flatMap { account?.devices[$0] }
        if let failure = loginFailure(account: account, device: device, clientKey: clientKey, client: client) {
            return refuse(connection, failure)
        }
        guard let device else { return refuse(connection, .failure(reason: 401)) }
        for action in fire(.login, nil, connection: connection, device: device) {
            switch action {
            case .end(let stanza, let abrupt): return refuse(connection, stanza, abrupt: abrupt)
            case .close(let code): return connection.close(code: CloseCode(codeNumber: code))
            case .reset: return connection.reset()
            case .drop: return
            case .offlineFlood(let count, let from): flood(device, count: count, from: from)
            default: break
            }
        }
        login(device, on: connection, client: client)
    }

    /// The first failed test of section 6, in its order; `nil` lets the client in.
    private func loginFailure(
        account: Account?, device: Device?, clientKey: PublicKey, client: ConnectingClient
    ) -> Stanza? {
        switch account?.standing {
        case .temporarilyBanned(let code, let until):
            let left = until - clock.seconds
            if left > 0 { return .failure(reason: 402, ["code": .int(code), "expire": .int(left)]) }
        case .banned: return .failure(reason: 406)
        case .locked(let header, let subtext):
            return .failure(
                reason: 403,
                [
                    "logout_message_header": header.map { .text($0) },
                    "logout_message_subtext": subtext.map { .text($0) },
                ])
        case .good, nil: break
        }
        guard let device, !device.isPhone, device.noiseKey == clientKey else { return .failure(reason: 401) }
        return isOutdated(client) ? .failure(reason: 405) : nil
    }

    func isOutdated(_ client: ConnectingClient) -> Bool {
        guard let minimum = settings.minimumRevision else { return false }
        return client.version < (2, 3000, minimum)
    }

    /// Sends the refusal as the connection's first stanza and ends it by the closing rule.
    func refuse(_ connection: ClientConnection, _ failure: Stanza, abrupt: Bool = false) {
        events.emit(
            .deviceLogin, connection: connection.id,
            ["accepted": false, "reason": .string(failure["reason"] ?? failure["code"] ?? failure.tag)])
        connection.end(with: failure, abrupt: abrupt)
    }
}
