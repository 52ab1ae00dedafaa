import CPNG
import CQREncode

/// Draws a text as a QR code: PNG, greyscale, 256 × 256, error correction M (10-rest-api, section 10, row 19).
enum QRImage {
    static let side = 256
    /// White modules around the code that scanners need.
    private static let quietZone = 4

    /// PNG bytes; nil when the text is too long for a code of this size.
    static func png(_ text: String) -> [UInt8]? {
        guard let modules = modules(text) else { return nil }
        let width = modules.count + 2 * quietZone
        let scale = side / width
        guard scale > 0 else { return nil }
        var pixels = [UInt8](repeating: 0xFF, count: side * side)
        let margin = (side - modules.count * scale) / 2
        for (y, row) in modules.enumerated() {
            for (x, isDark) in row.enumerated() where isDark {
                for line in 0..<scale {
                    let start = (margin + y * scale + line) * side + margin + x * scale
                    for offset in 0..<scale { pixels[start + offset] = 0 }
                }
            }
        }
        return encode(pixels)
    }

    /// The rows of the code, true for dark.
    private static func modules(_ text: String) -> [[Bool]]? {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, let code = QRcode_encodeData(Int32(clamping: bytes.count), bytes, 0, QR_ECLEVEL_M) else {
            return nil
        }
        defer { QRcode_free(code) }
        let width = Int(code.pointee.width)
        guard width > 0, let data = code.pointee.data else { return nil }
        return (0..<width).map { y in (0..<width).map { x in data[y * width + x] & 1 == 1 } }
    }

    private static func encode(_ pixels: [UInt8]) -> [UInt8]? {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = UInt32(side)
        image.height = UInt32(side)
        image.format = UInt32(PNG_FORMAT_GRAY)
        var output = [UInt8](repeating: 0, count: side * side + 4096)
        var count = output.count
        guard png_image_write_to_memory(&image, &output, &count, 0, pixels, Int32(side), nil) != 0 else { return nil }
        return Array(output.prefix(count))
    }
}
