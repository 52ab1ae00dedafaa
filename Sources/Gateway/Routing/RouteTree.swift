/// Finds the route of a method and path (10-rest-api, section 2.1).
///
/// Static segments match in any case and beat parameters; parameter values are percent-decoded once, after splitting,
/// and keep their case. One slash at the end is ignored. GET routes answer HEAD.
struct RouteTree: Sendable {
    enum Match: Sendable {
        case route(Route, parameters: PathParameters)
        /// The path exists with these methods.
        case wrongMethod(allowed: [String])
        case unknownPath
        /// A segment is not valid percent-encoded UTF-8.
        case malformedPath
    }

    private struct Node: Sendable {
        var routes: [Route] = []
        var statics: [String: Int] = [:]
        var parameter: (name: String, node: Int)?
    }

    private var nodes: [Node] = [Node()]
    /// Routes on whole paths without parameters, by exact lower-case path: the common case needs one look-up.
    private var exact: [String: [Route]] = [:]

    /// - Parameter basePath: Prefix of every route but `/favicon.ico`: "" or `/path`.
    init(_ routes: [Route], basePath: String = "") {
        for route in routes {
            let path = route.path == "/favicon.ico" ? route.path : basePath + route.path
            insert(route, at: path)
            if !path.contains("{") {
                let key = path.lowercased()
                exact[key.count > 1 && key.hasSuffix("/") ? String(key.dropLast()) : key, default: []].append(route)
            }
        }
    }

    private mutating func insert(_ route: Route, at path: String) {
        var node = 0
        for segment in path.split(separator: "/") {
            if segment.hasPrefix("{") {
                let name = String(segment.dropFirst().dropLast())
                if let known = nodes[node].parameter {
                    node = known.node
                } else {
                    nodes.append(Node())
                    nodes[node].parameter = (name, nodes.count - 1)
                    node = nodes.count - 1
                }
            } else {
                let key = segment.lowercased()
                if let known = nodes[node].statics[key] {
                    node = known
                } else {
                    nodes.append(Node())
                    nodes[node].statics[key] = nodes.count - 1
                    node = nodes.count - 1
                }
            }
        }
        precondition(!nodes[node].routes.contains { $0.method == route.method }, "\(route.name) is declared twice")
        nodes[node].routes.append(route)
    }

    /// - Parameter path: Without the query.
    func match(_ method: String, _ path: Substring) -> Match {
        if let routes = exact[String(path)] { return choose(routes, method, PathParameters()) }
        var segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if segments.last?.isEmpty == true { segments = segments.dropLast() }
        var decoded: [String] = []
        for segment in segments {
            guard let text = PercentCoding.decode(segment) else { return .malformedPath }
            decoded.append(text)
        }
        var values: [String] = []
        guard let found = find(decoded[...], from: 0, &values) else { return .unknownPath }
        let routes = nodes[found].routes
        return choose(routes, method, PathParameters(pattern: routes.first?.path ?? "", values: values))
    }

    private func choose(_ routes: [Route], _ method: String, _ parameters: PathParameters) -> Match {
        let wanted = method == "HEAD" ? "GET" : method
        if let route = routes.first(where: { $0.method.rawValue == wanted }) {
            return .route(route, parameters: parameters)
        }
        var allowed = routes.map(\.method.rawValue)
        if allowed.contains("GET") { allowed.append("HEAD") }
        return .wrongMethod(allowed: allowed.sorted())
    }

    /// The node of `segments`, trying static segments before parameters; `values` collects parameters in order.
    private func find(_ segments: ArraySlice<String>, from node: Int, _ values: inout [String]) -> Int? {
        guard let segment = segments.first else { return nodes[node].routes.isEmpty ? nil : node }
        if let next = nodes[node].statics[segment.lowercased()],
            let found = find(segments.dropFirst(), from: next, &values)
        {
            return found
        }
        guard let parameter = nodes[node].parameter else { return nil }
        values.append(segment)
        if let found = find(segments.dropFirst(), from: parameter.node, &values) { return found }
        values.removeLast()
        return nil
    }
}

/// Values of a path's parameters, decoded.
struct PathParameters: Sendable {
    private let pairs: [(name: Substring, value: String)]

    init() { pairs = [] }

    init(pattern: String, values: [String]) {
        let names = pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
        pairs = zip(names, values).map { ($0, $1) }
    }

    /// In the order of the path.
    var values: [String] { pairs.map(\.value) }

    /// The value of a parameter that the route's path names.
    subscript(name: String) -> String { pairs.first { $0.name == name }?.value ?? "" }
}
