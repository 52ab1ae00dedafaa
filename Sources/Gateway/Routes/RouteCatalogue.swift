import Tenancy

/// Every route there is, in the order of the documentation.
struct RouteCatalogue: Sendable {
    let dependencies: GatewayDependencies
    let api: APISettings
    let server: ServerSettings
    let uptime: Uptime
    let documentation: DocumentationAssets
    let metrics: MetricsPage
    let runningKeys = RunningKeys()
    /// True once the node takes requests: the database answers and the authentication table is loaded.
    let readiness: @Sendable () async -> Bool
    /// The way to the other nodes; nil where there are none.
    var cluster: EdgeCluster?

    var routes: [Route] {
        let description = APIDescription()
        let routes = apiRoutes + documentationRoutes(description)
        description.fill(OpenAPIDocument(routes: routes, server: server))
        return routes
    }

    private var apiRoutes: [Route] {
        [
            systemRoutes,
            adminRoutes,
            adminWebhookRoutes,
            tenantRoutes,
            adminDeviceRoutes,
            versionRoutes,
            deviceCreationRoutes,
            ownDeviceRoutes,
            loginRoutes,
            passkeyRoutes,
            deviceSettingRoutes,
            timelineRoutes,
            messageRoutes,
            messageActionRoutes,
            webhookRoutes,
            webhookDeliveryRoutes, eventStreamRoutes,
            dashboardRoutes,
            sandboxRoutes,
            metricsRoutes,
        ].flatMap { $0 }
    }
}
