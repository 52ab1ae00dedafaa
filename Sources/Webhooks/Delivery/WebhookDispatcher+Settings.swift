import NIOCore
import Tenancy

extension WebhookDispatcher.Configuration {
    /// What the settings of a node ask for (13-configuration, section 4.11). Rate and shares of tenants are of this node.
    package init(_ settings: WebhookSettings, version: String) {
        let capacity = settings.workers * settings.inFlightPerWorker
        self.init(
            limits: DispatchSchedule.Limits(
                capacity: capacity, tenantCapacity: settings.tenantMaximumInFlight, slowCapacity: 4 * capacity,
                tenantRate: settings.tenantRate > 0 ? Double(settings.tenantRate) : nil),
            timeout: .seconds(max(1, settings.timeout.components.seconds)),
            retry: RetryPolicy(
                fastAttempts: settings.retryLimit, slowSchedule: settings.retrySchedule.map(\.components.seconds),
                maximumAge: settings.maximumAge.components.seconds),
            disableAfter: settings.disableAfter.components.seconds, version: version)
    }
}
