/// A QR text on show (02, section 6).
package struct QRCode: Sendable, Equatable {
    package var text: String
    package var expiresAt: Timestamp
    /// 0 for the first of a `pair-device` list.
    package var index: Int
    package var count: Int

    package init(text: String, expiresAt: Timestamp, index: Int, count: Int) {
        self.text = text
        self.expiresAt = expiresAt
        self.index = index
        self.count = count
    }
}

/// A pairing code as shown to people, `XXXX-XXXX` (02, section 9.2).
package struct PairingCode: Sendable, Equatable {
    package var text: String
    package var expiresAt: Timestamp

    package init(text: String, expiresAt: Timestamp) {
        self.text = text
        self.expiresAt = expiresAt
    }
}

/// What happens to a running login. `paired` and `failed` are last.
package enum LoginUpdate: Sendable, Equatable {
    case qr(QRCode)
    /// The phone that scanned cannot link; the code stays valid.
    case scannedWithoutMultidevice
    /// WhatsApp demands a passkey, or that step went on.
    case passkey(PasskeyState)
    /// Pairing succeeded; the device connects again by itself. Own JID with device.
    case paired(jid: String)
    case failed(SessionError)
}

/// A running QR login, shared by all who asked for it.
package struct QRLogin: Sendable {
    package var current: QRCode
    /// The codes that will be on show after it, each until its end, unless the login changes.
    package var upcoming: [QRCode]
    /// Starts with what follows `current`; ends after `paired` or `failed`.
    package var updates: AsyncStream<LoginUpdate>

    package init(current: QRCode, upcoming: [QRCode] = [], updates: AsyncStream<LoginUpdate>) {
        self.current = current
        self.upcoming = upcoming
        self.updates = updates
    }
}
