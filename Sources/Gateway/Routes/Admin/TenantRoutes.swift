import AdminAuth
import Storage
import Tenancy

extension RouteCatalogue {
    private static let parseError = "Invalid request body"

    /// - Parameter isNew: Of a tenant that is made; else what is absent stays as it is.
    private static func tenantFields(isNew: Bool) -> [Route.Field] {
        let numbers = 1...largest
        return [
            .init(
                "customer_name", required: isNew, "Not blank", example: "Harbour Ltd", length: (isNew ? 1 : 0)...255),
            .init("customer_email", "Of the customer", example: "ops@harbour.example", length: 0...255),
            .init("customer_phone", "Of the customer", example: "+1 555 000 1111", length: 0...50),
            .init(
                "max_devices", .integer, isNew ? "Devices it may have; 1 when absent" : "Devices it may have",
                example: 10, range: numbers),
            .init(
                "rate_limit_per_hour", .integer, isNew ? "Requests per hour; 1000 when absent" : "Requests per hour",
                example: 1000, range: numbers),
        ]
    }

    /// Tenants and their keys (10-rest-api, section 8, rows 7 to 13).
    var tenantRoutes: [Route] {
        [
            Route(
                .post, "/admin/api-keys", .admin, number: "7", "Create a tenant and its API key (shown once)",
                body: .fields(Self.tenantFields(isNew: true), parseError: Self.parseError),
                answer: .data("API key created successfully", .createdTenant), statuses: [201], handler: createTenant),
            Route(
                .get, "/admin/api-keys", .admin, number: "8", "List tenants with masked keys",
                query: [.init("q", "Part of name, e-mail, masked key or id"), .limit, .cursor],
                answer: .data("API keys retrieved successfully", .list(of: .tenant))
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.tenants.list(
                    matching: call.query["q"].flatMap { $0.isEmpty ? nil : $0 }, limit: page.limit + 1,
                    before: page.before)
                return page.answer(
                    "API keys retrieved successfully", found, at: { ListPosition(time: $0.createdAt, id: $0.id) }
                ) { writer, tenants in
                    writer.array { writer in
                        for tenant in tenants { writer.object { $0.tenant(tenant) } }
                    }
                }
            },
            Route(
                .get, "/admin/api-keys/{id}", .admin, number: "9", "One tenant with its devices",
                answer: .data("API key retrieved successfully", .tenantWithDevices), statuses: [200, 404]
            ) { call in
                let id = try Self.tenantID(call)
                let tenant = try await dependencies.tenants.find(id)
                let devices = try await dependencies.tenants.devices(of: id)
                return .ok("API key retrieved successfully") { writer in
                    writer.object { writer in
                        writer.tenant(tenant)
                        writer.key("devices")
                        writer.array { writer in
                            for device in devices { writer.deviceOfTenant(device) }
                        }
                        writer.time("created_at", tenant.createdAt)
                        writer.time("updated_at", tenant.updatedAt)
                    }
                }
            },
            Route(
                .patch, "/admin/api-keys/{id}", .admin, number: "10", "Change a tenant",
                details:
                    "What is absent stays as it is, and so does what is sent as an empty text or a number below 1.",
                body: .fields(
                    Self.tenantFields(isNew: false) + [.init("is_active", .boolean, "false stops its tokens and key")],
                    parseError: Self.parseError), answer: .data("API key updated successfully", .tenant),
                statuses: [200, 404], handler: updateTenant),
            Route(
                .delete, "/admin/api-keys/{id}", .admin, number: "11", "Delete a tenant with all its devices",
                answer: .data("API key deleted successfully", .object(.init("devices_deleted", .integer))),
                statuses: [200, 404]
            ) { call in
                let count = try await dependencies.tenants.delete(try Self.tenantID(call), from: call.origin)
                return .ok("API key deleted successfully") { writer in
                    writer.object { $0.member("devices_deleted", count) }
                }
            },
            Route(
                .post, "/admin/api-keys/{id}/rotate", .admin, "Replace the key of a tenant",
                body: .fields(
                    [
                        .init(
                            "grace_seconds", .integer, "How long the old key stays valid; 0 when absent",
                            example: 3600, range: 0...604_800)
                    ],
                    parseError: Self.parseError),
                answer: .data(
                    "API key rotated successfully",
                    .object(.init("id", .integer), .init("api_key", .string, "Shown this once"))),
                statuses: [200, 404], handler: rotateKey),
            Route(
                .get, "/admin/api-keys/{id}/devices", .admin, number: "12", "Devices of a tenant",
                query: [.limit, .cursor], answer: .data("Devices retrieved successfully", .list(of: .deviceSummary)),
                statuses: [200, 404]
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.tenants.overviews(
                    of: try Self.tenantID(call), limit: page.limit + 1, before: page.before)
                return page.answer("Devices retrieved successfully", found, at: \.position) { writer, devices in
                    writer.array { writer in
                        for device in devices { writer.deviceSummary(device.device) }
                    }
                }
            },
            Route(
                .get, "/admin/api-keys/{id}/devices/status", .admin, number: "13", "Live state of a tenant's devices",
                query: [.limit, .cursor],
                answer: .data("Device statuses retrieved successfully", .list(of: .deviceStatus)),
                statuses: [200, 404]
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.tenants.overviews(
                    of: try Self.tenantID(call), limit: page.limit + 1, before: page.before)
                return page.answer("Device statuses retrieved successfully", found, at: \.position) {
                    writer, overviews in
                    writer.array { writer in
                        for overview in overviews {
                            writer.deviceStatus(
                                overview, live: dependencies.gate.live(of: overview),
                                reason: dependencies.gate.reason(of: overview), withCustomer: false)
                        }
                    }
                }
            },
        ]
    }

    /// Decimal id of the path. Throws 400.
    private static func tenantID(_ call: Call) throws -> Int64 {
        let text = call.parameters["id"]
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let id = Int64(text), id > 0 else {
            throw APIError.validation("Invalid API key ID", field: "id")
        }
        return id
    }

    @Sendable private func createTenant(_ call: Call) async throws -> Answer {
        let body = call.body
        let name = try body.string("customer_name")?.trimmingWhitespace() ?? ""
        if name.isEmpty { throw APIError.validation("customer_name is required", field: "customer_name") }
        let new = NewTenant(
            customerName: name, customerEmail: try body.string("customer_email") ?? "",
            customerPhone: try body.string("customer_phone") ?? "",
            maxDevices: try Self.positive(body, "max_devices") ?? 1,
            rateLimitPerHour: try Self.positive(body, "rate_limit_per_hour") ?? 1000)
        try Self.checkLengths(name, new.customerEmail, new.customerPhone)
        let (tenant, key) = try await dependencies.tenants.create(new, from: call.origin)
        return .created("API key created successfully") { writer in
            writer.object { writer in
                writer.member("id", tenant.id)
                writer.member("api_key", key.text)
                writer.member("customer_name", tenant.customerName)
                writer.member("customer_email", tenant.customerEmail)
                writer.member("customer_phone", tenant.customerPhone)
                writer.member("max_devices", tenant.maxDevices)
                writer.member("rate_limit_per_hour", tenant.rateLimitPerHour)
            }
        }.with("Cache-Control", "no-store")
    }

    /// Empty texts and numbers below one mean "unchanged" (10-rest-api, section 3.7).
    @Sendable private func updateTenant(_ call: Call) async throws -> Answer {
        let id = try Self.tenantID(call)
        let body = call.body
        func text(_ name: String) throws -> String? {
            guard let text = try body.string(name)?.trimmingWhitespace(), !text.isEmpty else { return nil }
            return text
        }
        func number(_ name: String) throws -> Int? {
            try body.integer(name).flatMap { $0 > 0 ? try Self.bounded($0, name) : nil }
        }
        let change = TenantChange(
            customerName: try text("customer_name"), customerEmail: try text("customer_email"),
            customerPhone: try text("customer_phone"), maxDevices: try number("max_devices"),
            rateLimitPerHour: try number("rate_limit_per_hour"), isActive: try body.bool("is_active"))
        try Self.checkLengths(change.customerName ?? "", change.customerEmail ?? "", change.customerPhone ?? "")
        let tenant = try await dependencies.tenants.update(id, change, from: call.origin)
        return .ok("API key updated successfully") { writer in
            writer.object { $0.tenant(tenant) }
        }
    }

    @Sendable private func rotateKey(_ call: Call) async throws -> Answer {
        let id = try Self.tenantID(call)
        let grace = try call.body.integer("grace_seconds") ?? 0
        guard (0...604_800).contains(grace) else {
            throw APIError.validation("grace_seconds must be between 0 and 604800", field: "grace_seconds")
        }
        let key = try await dependencies.tenants.rotateKey(id, grace: .seconds(grace), from: call.origin)
        return .ok("API key rotated successfully") { writer in
            writer.object { writer in
                writer.member("id", id)
                writer.member("api_key", key.text)
            }
        }.with("Cache-Control", "no-store")
    }

    /// A number that must be above zero when it is given.
    private static func positive(_ body: BodyFields, _ name: String) throws -> Int? {
        guard let number = try body.integer(name) else { return nil }
        guard number > 0 else {
            throw APIError.validation(
                "\(name) is required and must be greater than 0", field: name,
                hint: "\(number) is not greater than 0. Without the member it is the default.")
        }
        return try bounded(number, name)
    }

    /// What a column of the database holds.
    private static let largest = Int(Int32.max)

    private static func bounded(_ number: Int, _ name: String) throws(APIError) -> Int {
        guard number <= largest else { throw .validation("\(name) must be at most \(largest)", field: name) }
        return number
    }

    private static func checkLengths(_ name: String, _ email: String, _ phone: String) throws {
        for (field, text, limit) in [
            ("customer_name", name, 255), ("customer_email", email, 255), ("customer_phone", phone, 50),
        ]
        where text.count > limit {
            throw APIError.validation("\(field) must be at most \(limit) characters", field: field)
        }
    }
}
