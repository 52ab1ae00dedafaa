import AdminAuth
import Storage
import Tenancy

extension RouteCatalogue {
    /// Making devices and renewing their tokens (10-rest-api, section 9), and a tenant's own device list (section 23).
    var deviceCreationRoutes: [Route] {
        [
            Route(
                .post, "/devices", .apiKey, number: "15", "Create a device; returns its secret and token",
                body: .lenient([
                    .init("device_name", "At most 255 characters", example: "Front desk", length: 0...255),
                    .init(
                        "external_id", "Own id of the device, unique per API key, at most 128 characters",
                        example: "desk-1", length: 0...128),
                ]), answer: .data("Device created successfully", .createdDevice),
                errors: ["external_id_taken", "device_limit_reached"],
                statuses: [201, 400, 409], idempotent: true, handler: createDevice),
            Route(
                .post, "/devices/token", .none, number: "16", "Exchange id and secret for a new token; older ones die",
                body: .fields(
                    [
                        .init(
                            "device_id", required: true, "Id of the device",
                            example: "7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11"),
                        .init("device_secret", required: true, "Secret from its creation"),
                    ], parseError: "Invalid request body"),
                answer: .data("Token regenerated successfully", .renewedToken),
                errors: ["auth_invalid", "api_key_inactive"], statuses: [200, 400, 401, 429], handler: regenerateToken),
            Route(
                .get, "/devices", .apiKey, "Devices of the calling API key with their live state",
                query: [.init("q", "Part of name, number or id"), .limit, .cursor],
                answer: .data("Devices retrieved successfully", .list(of: .liveDevice))
            ) { call in
                let page = try Page(call.query)
                var filter = DeviceFilter(tenantID: call.tenant.id, limit: page.limit + 1, before: page.before)
                filter.text = call.query["q"].flatMap { $0.isEmpty ? nil : $0 }
                let found = try await dependencies.devices.overviews(filter)
                return page.answer("Devices retrieved successfully", found, at: \.position) { writer, devices in
                    writer.array { writer in
                        for device in devices { writer.liveDevice(device, live: dependencies.gate.live(of: device)) }
                    }
                }
            },
            Route(
                .post, "/devices/{device_id}/token", .apiKey,
                "A token for a device of the calling API key; earlier ones stay valid",
                answer: .data("Token issued successfully", .issuedToken), statuses: [200, 404]
            ) { call in
                let (deviceID, token) = try await dependencies.devices.token(
                    deviceID: call.parameters["device_id"], of: call.tenant, from: call.origin)
                return .ok("Token issued successfully") { writer in
                    writer.object { writer in
                        writer.member("device_id", deviceID)
                        writer.member("token", token)
                    }
                }.with("Cache-Control", "no-store")
            },
            Route(
                .delete, "/devices/{device_id}", .apiKey, "Delete a device of the calling API key",
                answer: .message("Device deleted successfully"), statuses: [200, 404]
            ) { call in
                let device = try await dependencies.devices.find(call.parameters["device_id"])
                guard device.tenantID == call.tenant.id else { throw TenancyError.deviceNotFound }
                try await dependencies.devices.delete(
                    call.parameters["device_id"], by: "api_key:\(call.tenant.id)", from: call.origin)
                return .ok("Device deleted successfully")
            },
        ]
    }

    @Sendable private func createDevice(_ call: Call) async throws -> Answer {
        let name = try call.body.string("device_name") ?? ""
        guard name.count <= 255 else {
            throw APIError.validation("device_name must be at most 255 characters", field: "device_name")
        }
        let external = try call.body.string("external_id").flatMap { $0.isEmpty ? nil : $0 }
        guard external.map({ $0.count <= 128 }) ?? true else {
            throw APIError.validation("external_id must be at most 128 characters", field: "external_id")
        }
        let created = try await dependencies.devices.create(
            for: call.tenant, name: name, externalID: external,
            once: call.idempotencyKey.map { ($0, call.fingerprint) }, from: call.origin)
        let answer = Answer.created("Device created successfully") { writer in
            writer.object { writer in
                writer.member("device_id", created.record.deviceID)
                writer.member("device_secret", created.secret)
                writer.member("device_name", created.record.name)
                writer.member("token", created.token)
                if let external = created.record.externalID { writer.member("external_id", external) }
                writer.member("message", "Device created. Keep device_secret: it is needed to get new tokens.")
            }
        }.with("Cache-Control", "no-store")
        return created.isRepeated ? answer.with("Idempotent-Replayed", "true") : answer
    }

    @Sendable private func regenerateToken(_ call: Call) async throws -> Answer {
        let id = try call.body.string("device_id") ?? ""
        let secret = try call.body.string("device_secret") ?? ""
        if id.isEmpty || secret.isEmpty {
            throw APIError.validation(
                "device_id and device_secret are required", field: id.isEmpty ? "device_id" : "device_secret")
        }
        let (deviceID, token) = try await dependencies.devices.regenerateToken(
            deviceID: id, secret: secret, from: call.origin)
        return .ok("Token regenerated successfully") { writer in
            writer.object { writer in
                writer.member("device_id", deviceID)
                writer.member("token", token)
                writer.member("message", "Earlier tokens of this device are no longer valid.")
            }
        }.with("Cache-Control", "no-store")
    }
}
