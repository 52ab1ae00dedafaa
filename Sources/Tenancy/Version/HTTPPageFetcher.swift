import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Fetches pages as a desktop browser would (01-transport, section 27).
package struct HTTPPageFetcher: PageFetching {
    private static let maximumSize = 8 << 20
    private static let timeout = TimeAmount.seconds(15)
    private static let headers: HTTPHeaders = [
        "User-Agent":
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "Accept-Language": "en-US,en;q=0.9",
        "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1",
    ]

    private let client: HTTPClient

    package init(client: HTTPClient = .shared) { self.client = client }

    package func page(_ url: String) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.headers = Self.headers
        do {
            let response = try await client.execute(request, timeout: Self.timeout)
            guard response.status == .ok else { throw VersionFetchError("\(url) answered \(response.status.code)") }
            return [UInt8](buffer: try await response.body.collect(upTo: Self.maximumSize))
        } catch let error as VersionFetchError {
            throw error
        } catch {
            throw VersionFetchError("\(url) could not be fetched: \(error)")
        }
    }
}
