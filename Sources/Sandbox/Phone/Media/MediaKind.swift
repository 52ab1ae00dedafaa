import Cryptography

/// The kinds of media a phone sends and reads, with where their parts stand in the E2E `Message` (05, sections 6 to 10, 25).
struct MediaKind: Sendable, Equatable {
    /// Field numbers inside the kind's message.
    struct Fields: Sendable, Equatable {
        var mimetype = 2
        var sha256: Int
        var length: Int
        var key: Int
        var encryptedSHA256: Int
        var directPath: Int
        var time: Int
        var caption: Int?
        var fileName: Int?
        /// A flag that makes it a voice note or a GIF.
        var flag: Int?
        static let url = 1
    }

    /// The word of the control API.
    let name: String
    /// Field of `Message`.
    let field: Int
    /// As in the path of its upload.
    let uploadType: String
    /// Info of the key derivation.
    let info: String
    let defaultMimetype: String
    let fields: Fields
    var setsFlag = false

    private static let imageFields = Fields(
        sha256: 4, length: 5, key: 8, encryptedSHA256: 9, directPath: 11, time: 12, caption: 3)
    private static let videoFields = Fields(
        sha256: 3, length: 4, key: 6, encryptedSHA256: 11, directPath: 13, time: 14, caption: 7, flag: 8)
    private static let audioFields = Fields(
        sha256: 3, length: 4, key: 7, encryptedSHA256: 8, directPath: 9, time: 10, flag: 6)

    static let all: [MediaKind] = [
        MediaKind(
            name: "image", field: 3, uploadType: "image", info: "WhatsApp Image Keys", defaultMimetype: "image/jpeg",
            fields: imageFields),
        MediaKind(
            name: "video", field: 9, uploadType: "video", info: "WhatsApp Video Keys", defaultMimetype: "video/mp4",
            fields: videoFields),
        MediaKind(
            name: "gif", field: 9, uploadType: "gif", info: "WhatsApp Video Keys", defaultMimetype: "video/mp4",
            fields: videoFields, setsFlag: true),
        MediaKind(
            name: "video_note", field: 66, uploadType: "video", info: "WhatsApp Video Keys",
            defaultMimetype: "video/mp4", fields: videoFields),
        MediaKind(
            name: "audio", field: 8, uploadType: "audio", info: "WhatsApp Audio Keys", defaultMimetype: "audio/mpeg",
            fields: audioFields),
        MediaKind(
            name: "ptt", field: 8, uploadType: "ptt", info: "WhatsApp Audio Keys",
            defaultMimetype: "audio/ogg; codecs=opus", fields: audioFields, setsFlag: true),
        MediaKind(
            name: "document", field: 7, uploadType: "document", info: "WhatsApp Document Keys",
            defaultMimetype: "application/octet-stream",
            fields: Fields(
                sha256: 4, length: 5, key: 7, encryptedSHA256: 9, directPath: 10, time: 11, caption: 20, fileName: 8)),
        MediaKind(
            name: "sticker", field: 26, uploadType: "image", info: "WhatsApp Image Keys",
            defaultMimetype: "image/webp",
            fields: Fields(
                mimetype: 5, sha256: 2, length: 9, key: 4, encryptedSHA256: 3, directPath: 8, time: 10)),
    ]

    static func named(_ name: String) -> MediaKind? { all.first { $0.name == name } }
    static func ofField(_ field: Int) -> MediaKind? { all.first { $0.field == field } }
}
