import Cryptography

/// The page that shows QR codes (10-rest-api, section 10, row 19). It loads nothing: it holds the codes that follow, and shows
/// each in its time. Asking again would need the device's token, which no page and no URL may carry.
enum LoginPage {
    /// A code and how long it is to be shown, in seconds.
    struct Code {
        let png: [UInt8]
        let seconds: Int64
    }

    static func html(_ codes: [Code]) -> String {
        var begin: Int64 = 0
        var images = ""
        for code in codes {
            images += """
                <img src="data:image/png;base64,\(Base64.encode(code.png))" width="256" height="256" alt="QR code" \
                style="animation:shown \(code.seconds)s linear \(begin)s">

                """
            begin += code.seconds
        }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Link a device</title>
            <style>
            body{font-family:system-ui,sans-serif;text-align:center;padding:2rem}
            .codes{position:relative;width:256px;height:256px;margin:0 auto}
            .codes>*{position:absolute;inset:0;visibility:hidden}
            img{image-rendering:pixelated}
            @keyframes shown{from,to{visibility:visible}}
            </style>
            </head><body><h1>Link a device</h1>
            <p>Open WhatsApp, go to Linked devices and scan this code.</p>
            <div class="codes">\(images)<p style="animation:shown 1s linear \(begin)s forwards">The codes have run out. \
            Ask for a new one.</p></div>
            <p>Timeout in \(codes.first?.seconds ?? 0) Second(s)</p></body></html>
            """
    }
}
