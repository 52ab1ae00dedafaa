// A greeter: answers whoever writes to it for the first time.
// Usage: SWITCHBOARD=http://… TOKEN=… greeter NUMBER

import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What this bot reads of the gateway's answers.
struct Answer: Decodable {
    struct Message: Decodable {
        let message_id: String
        let is_from_me: Bool
        let push_name: String
    }
    struct Content: Decodable {
        var messages: [Message]?
    }
    let message: String
    var data: Content?
}

struct Refused: Error { let status: Int, message: String }

/// The gateway as the device of `TOKEN` sees it.
struct Gateway {
    let base: String
    let token: String

    func call(_ method: String, _ path: String, _ body: [String: String]? = nil, key: String? = nil) async throws
        -> Answer
    {
        guard let url = URL(string: base + path) else { throw URLError(.badURL) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
        request.setValue(key, forHTTPHeaderField: "Idempotency-Key")
        if let body {
            request.httpBody = try JSONEncoder().encode(body)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let (bytes, response) = try await URLSession.shared.data(for: request)
        let answer = try JSONDecoder().decode(Answer.self, from: bytes)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard (200..<300).contains(status) else { throw Refused(status: status, message: answer.message) }
        return answer
    }
}

let environment = ProcessInfo.processInfo.environment
guard let base = environment["SWITCHBOARD"], let token = environment["TOKEN"], CommandLine.arguments.count == 2 else {
    print("usage: SWITCHBOARD=http://… TOKEN=… greeter NUMBER")
    exit(64)
}
let gateway = Gateway(base: base, token: token)
let chat = "/chats/\(CommandLine.arguments[1])/messages"

// Waits for the first message, a little longer each time while nothing comes.
var pause = 0.25
while true {
    let messages = try await gateway.call("GET", chat + "?limit=50&order=asc").data?.messages ?? []
    if let first = messages.first(where: { !$0.is_from_me }) {
        let greeting = ["text": "Welcome, \(first.push_name)!"]
        _ = try await gateway.call("POST", chat, greeting, key: first.message_id)
        print("greeted \(first.push_name)")
        break
    }
    try await Task.sleep(for: .seconds(pause))
    pause = min(5, pause * 1.5)
}
