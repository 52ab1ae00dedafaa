import Cryptography

/// The page that shows a QR code (10-rest-api, section 10, row 19). It loads nothing and asks for itself again when the
/// code runs out.
enum LoginPage {
    static func html(png: [UInt8], seconds: Int64) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="refresh" content="\(seconds)"><title>Link a device</title>
        <style>body{font-family:system-ui,sans-serif;text-align:center;padding:2rem}img{image-rendering:pixelated}</style>
        </head><body><h1>Link a device</h1>
        <p>Open WhatsApp, go to Linked devices and scan this code.</p>
        <img src="data:image/png;base64,\(Base64.encode(png))" width="256" height="256" alt="QR code">
        <p>Timeout in \(seconds) Second(s)</p></body></html>
        """
    }
}
