import Cryptography

/// Which kind of client shows the QR; a character of its text and the platform id of code pairing
/// (02-pairing-login, section 6.2).
package enum ClientType: String, Sendable, CaseIterable {
    case unknown = "0"
    case chrome = "1"
    case edge = "2"
    case firefox = "3"
    case internetExplorer = "4"
    case opera = "5"
    case safari = "6"
    case electron = "7"
    case uwp = "8"
    case otherWeb = "9"
    case macOS = "c"
    case androidTablet = "d"
    case androidPhone = "e"
    case androidAmbiguous = "f"

    /// The type that goes with a platform name of DeviceProps (02, section 4); other web clients are `otherWeb`.
    package init(platform: String) {
        self =
            switch platform {
            case "CHROME": .chrome
            case "FIREFOX": .firefox
            case "IE": .internetExplorer
            case "OPERA": .opera
            case "SAFARI": .safari
            case "EDGE": .edge
            case "ANDROID_PHONE": .androidPhone
            case "UWP": .uwp
            default: .otherWeb
            }
    }
}

/// The text of a pairing QR:
/// `https://wa.me/settings/linked_devices#<ref>,<noise public>,<identity public>,<ADV secret>,<client type>`, keys in
/// padded standard base64 (02-pairing-login, section 6.2).
package enum QRText {
    package static func make(
        ref: String, noisePublic: [UInt8], identityPublic: [UInt8], advSecret: SecretBytes, clientType: ClientType
    ) -> String {
        let parts = [
            ref, Base64.encode(noisePublic), Base64.encode(identityPublic), Base64.encode(advSecret.bytes),
            clientType.rawValue,
        ]
        return "https://wa.me/settings/linked_devices#" + parts.joined(separator: ",")
    }
}
