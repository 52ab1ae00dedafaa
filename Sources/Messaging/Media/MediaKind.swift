/// What a media file is, as far as its keys and its place on the media servers depend on it (05-message-content,
/// section 25.1).
package enum MediaKind: String, Sendable, CaseIterable {
    case image
    /// Stickers use the keys and the place of images.
    case sticker
    /// Videos, GIFs and video notes.
    case video
    /// Audio files and voice notes.
    case audio
    case document
    /// A chunk of history.
    case history
    /// An app state snapshot or an external patch.
    case appState
    case stickerPack
    case stickerPackThumbnail
    case linkThumbnail
    case imageThumbnail
    case videoThumbnail
    case documentThumbnail

    /// The `info` of the key expansion.
    package var keyInfo: String {
        switch self {
        case .image, .sticker: "WhatsApp Image Keys"
        case .video: "WhatsApp Video Keys"
        case .audio: "WhatsApp Audio Keys"
        case .document: "WhatsApp Document Keys"
        case .history: "WhatsApp History Keys"
        case .appState: "WhatsApp App State Keys"
        case .stickerPack: "WhatsApp Sticker Pack Keys"
        case .stickerPackThumbnail: "WhatsApp Sticker Pack Thumbnail Keys"
        case .linkThumbnail: "WhatsApp Link Thumbnail Keys"
        case .imageThumbnail: "WhatsApp Image Thumbnail Keys"
        case .videoThumbnail: "WhatsApp Video Thumbnail Keys"
        case .documentThumbnail: "WhatsApp Document Thumbnail Keys"
        }
    }

    /// The name in upload paths and in the `mms-type` of downloads.
    package var serverType: String {
        switch self {
        case .image, .sticker: "image"
        case .video: "video"
        case .audio: "audio"
        case .document: "document"
        case .history: "md-msg-hist"
        case .appState: "md-app-state"
        case .stickerPack: "sticker-pack"
        case .stickerPackThumbnail: "thumbnail-sticker-pack"
        case .linkThumbnail: "thumbnail-link"
        case .imageThumbnail: "thumbnail-image"
        case .videoThumbnail: "thumbnail-video"
        case .documentThumbnail: "thumbnail-document"
        }
    }
}
