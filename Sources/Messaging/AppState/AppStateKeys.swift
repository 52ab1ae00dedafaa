import Cryptography

/// The five keys of one app state key, expanded from its 32 bytes of key data.
///
/// Layout: HKDF-SHA256(key data, no salt, `WhatsApp Mutation Keys`, 160) cut into five (06-app-state-history, section 3.4).
package struct AppStateKeys: Sendable, Equatable {
    /// HMAC-SHA256 of an index.
    package let index: SecretBytes
    /// AES-256-CBC of values.
    package let valueEncryption: SecretBytes
    /// HMAC-SHA512 of values.
    package let valueMAC: SecretBytes
    /// HMAC-SHA256 of a state.
    package let snapshotMAC: SecretBytes
    /// HMAC-SHA256 of a patch.
    package let patchMAC: SecretBytes

    package init(keyData: some Collection<UInt8>) {
        let expanded = HKDFSHA256.derive(
            inputKeyMaterial: keyData, info: Bytes("WhatsApp Mutation Keys".utf8), count: 160)
        index = SecretBytes(expanded[0..<32])
        valueEncryption = SecretBytes(expanded[32..<64])
        valueMAC = SecretBytes(expanded[64..<96])
        snapshotMAC = SecretBytes(expanded[96..<128])
        patchMAC = SecretBytes(expanded[128..<160])
    }
}

/// Why a patch, a snapshot or a record was refused (06-app-state-history, section 11). The state stays as it was.
package enum AppStateError: Error, Equatable, Sendable {
    /// Key ids that are not in the store; ask the phone for them.
    case missingKeys([Bytes])
    /// The snapshot MAC does not fit the state: something is lost or damaged.
    case stateMismatch
    /// The patch MAC does not fit.
    case patchMACMismatch
    /// A value is damaged.
    case valueMACMismatch
    /// An index is not the one its MAC stands for.
    case indexMACMismatch
    /// A version that does not follow the local one.
    case versionGap(expected: UInt64, actual: UInt64)
    /// A patch by which a phone declares the collection broken.
    case exitCode(UInt64)
    /// Not a patch, a snapshot or a record; the text says what is wrong.
    case malformed(String)
}
