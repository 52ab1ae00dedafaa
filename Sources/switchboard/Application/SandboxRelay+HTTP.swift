import AsyncHTTPClient
import Gateway
import NIOCore
import NIOHTTP1

extension SandboxRelay {
    /// Reaches the control API at `base`, the address of its listener without a path.
    static func http(_ base: String, token: String?) -> SandboxRelay {
        SandboxRelay { method, path, body in
            var request = HTTPClientRequest(url: base + "/v1" + path)
            request.method = HTTPMethod(rawValue: method)
            if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
            if !body.isEmpty {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: body))
            }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(40))
            let bytes = try await response.body.collect(upTo: 8 << 20)
            return Reply(status: Int(response.status.code), body: [UInt8](bytes.readableBytesView))
        }
    }
}
