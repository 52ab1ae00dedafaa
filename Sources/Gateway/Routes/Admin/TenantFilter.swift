extension Route.Parameter {
    /// Narrows a list of the operator's to one tenant.
    static let apiKeyID = Route.Parameter("api_key_id", .integer, "One tenant only", strict: true)
}

extension Query {
    /// The tenant that ``Route/Parameter/apiKeyID`` names; nil when absent or empty.
    ///
    /// - Throws: 400 for a text that is no number: ignored, it would show the rows of all tenants for those of one.
    func apiKeyID() throws(APIError) -> Int64? {
        guard let text = self["api_key_id"], !text.isEmpty else { return nil }
        guard let id = Int64(text) else { throw .validation("api_key_id must be a number", field: "api_key_id") }
        return id
    }
}
