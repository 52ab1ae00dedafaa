// swift-tools-version: 6.2
// The order of the modules is the order of docs/architecture.md; Tests/HouseTests checks every arrow.
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioSOCKS = Target.Dependency.product(name: "NIOSOCKS", package: "swift-nio-extras")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioExtras = Target.Dependency.product(name: "NIOExtras", package: "swift-nio-extras")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let collections = Target.Dependency.product(name: "Collections", package: "swift-collections")
let atomics = Target.Dependency.product(name: "Atomics", package: "swift-atomics")

/// Field arithmetic and chains of hashes take ten times as long unoptimised, and the tests do little else: the modules that
/// hold them are optimised in debug builds as well.
let arithmetic: [SwiftSetting] = swiftSettings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

func library(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [],
    settings: [SwiftSetting] = swiftSettings
) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/SystemLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "switchboard",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "switchboard", targets: ["switchboard"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-atomics", from: "1.3.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        systemLibrary("CPostgreSQL", pkgConfig: "libpq", apt: "libpq-dev"),
        systemLibrary("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
        systemLibrary("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
        systemLibrary("CProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
        systemLibrary("CQREncode", pkgConfig: "libqrencode", apt: "libqrencode-dev"),
        systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        .systemLibrary(name: "CSpawn", path: "Sources/SystemLibraries/CSpawn"),
        systemLibrary("CPNG", pkgConfig: "libpng", apt: "libpng-dev"),

        library("Cryptography", ["CSodium", "COpenSSL"], settings: arithmetic),
        .target(
            name: "CWhatsAppProtobuf", dependencies: ["CProtobufC"], path: "Sources/WhatsAppProtobuf/C"),
        .target(
            name: "WhatsAppProtobuf", dependencies: ["CWhatsAppProtobuf", "CProtobufC"],
            path: "Sources/WhatsAppProtobuf/Swift", swiftSettings: swiftSettings),
        library(
            "Transport",
            [
                "Cryptography", "WhatsAppProtobuf", "CZlib", nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL,
                nioSOCKS, nioExtras, nioConcurrency, logging, atomics,
            ]),
        library("Signal", ["Cryptography", "WhatsAppProtobuf", "Transport", collections], settings: arithmetic),
        library(
            "Messaging",
            [
                "Cryptography", "WhatsAppProtobuf", "Transport", "Signal", nioCore, nioPosix, logging, metrics,
                collections, nioConcurrency,
            ]),
        library(
            "Database", ["CPostgreSQL", "CSpawn", nioCore, nioPosix, nioConcurrency, logging, metrics, collections]),
        library(
            "Storage",
            [
                "Cryptography", "WhatsAppProtobuf", "Transport", "Signal", "Messaging", "Database", logging, metrics,
                nioCore, nioConcurrency,
            ]),
        library("AdminAuth", ["Cryptography", "Database", "Storage", logging, nioConcurrency]),
        library(
            "Tenancy",
            [
                "Cryptography", "Transport", "Messaging", "Database", "Storage", "AdminAuth", logging, metrics,
                asyncHTTPClient,
                nioCore, nioPosix, nioHTTP1, nioConcurrency,
            ]),
        library(
            "Webhooks",
            [
                "Cryptography", "Messaging", "Database", "Storage", "AdminAuth", "Tenancy", logging, metrics, nioCore,
                nioPosix, nioHTTP1, nioSSL, nioConcurrency,
            ]),
        library(
            "Gateway",
            [
                "Cryptography", "Messaging", "Database", "Storage", "AdminAuth", "Tenancy", "Webhooks", "CQREncode",
                "CPNG", "CZlib", hummingbird, hummingbirdTLS, logging, metrics, nioCore, nioPosix, nioHTTP1,
                nioHTTPTypes, nioHTTPTypesHTTP1, nioWebSocket, nioSSL, nioConcurrency, asyncHTTPClient,
                serviceLifecycle,
            ]),
        library(
            "Sandbox",
            [
                "Cryptography", "WhatsAppProtobuf", "Transport", "Signal", hummingbird, nioCore, nioPosix, nioHTTP1,
                nioWebSocket, nioSSL, nioConcurrency, logging, collections,
            ]),
        .executableTarget(
            name: "switchboard",
            dependencies: [
                "Cryptography", "WhatsAppProtobuf", "Transport", "Signal", "Messaging", "Database", "Storage",
                "AdminAuth", "Tenancy", "Webhooks", "Gateway", "Sandbox", argumentParser, serviceLifecycle,
                unixSignals, logging, metrics, nioCore, nioPosix, nioHTTP1, nioSSL, asyncHTTPClient,
            ],
            swiftSettings: swiftSettings),

        tests("HouseTests", []),
        tests("CryptographyTests", ["Cryptography", "CSodium"]),
        tests("WhatsAppProtobufTests", ["WhatsAppProtobuf"]),
        tests(
            "TransportTests",
            [
                "Transport", "Cryptography", "TestSupport", nioCore, nioEmbedded, nioPosix, nioWebSocket, nioHTTP1,
                nioSSL,
            ]),
        tests("SignalTests", ["Signal", "Cryptography", "Transport", "WhatsAppProtobuf"]),
        tests(
            "MessagingTests",
            [
                "Messaging", "Signal", "Cryptography", "Transport", "WhatsAppProtobuf", "TestSupport", nioCore,
                nioPosix,
                nioConcurrency,
            ]),
        .target(
            name: "TestSupport", dependencies: ["Database", "Cryptography", nioCore, nioPosix, nioHTTP1],
            path: "Tests/TestSupport", swiftSettings: swiftSettings),
        tests("DatabaseTests", ["Database", "TestSupport", nioCore, nioPosix]),
        tests(
            "StorageTests",
            [
                "Storage", "TestSupport", "Database", "Messaging", "Signal", "Cryptography", "Transport", nioCore,
                nioPosix,
            ]),
        .target(
            name: "GatewayTestSupport",
            dependencies: [
                "Gateway", "Webhooks", "Tenancy", "AdminAuth", "Storage", "Database", "Messaging", "Cryptography",
                "TestSupport",
                logging, nioCore, nioPosix, nioConcurrency,
            ],
            path: "Tests/GatewayTestSupport", swiftSettings: swiftSettings),
        tests("AdminAuthTests", ["AdminAuth", "Database", "Storage", "Cryptography", "TestSupport"]),
        tests(
            "TenancyTests",
            [
                "Tenancy", "AdminAuth", "Database", "Storage", "Messaging", "Transport", "Cryptography", "TestSupport",
                "GatewayTestSupport", logging, nioConcurrency, nioCore, nioPosix,
            ]),
        tests(
            "WebhooksTests",
            [
                "Webhooks", "Tenancy", "Messaging", "Transport", "WhatsAppProtobuf", "Database", "Storage",
                "Cryptography", "TestSupport", nioCore, nioPosix, logging,
            ]),
        tests(
            "GatewayTests",
            [
                "Gateway", "GatewayTestSupport", "Tenancy", "AdminAuth", "Database", "Storage", "Webhooks", "Messaging",
                "Cryptography", "TestSupport", hummingbirdTesting, asyncHTTPClient, nioCore, nioPosix, nioHTTP1,
            ]),
        tests(
            "SandboxTests",
            ["Sandbox", "Cryptography", "Transport", "Signal", "WhatsAppProtobuf", nioCore, nioPosix, asyncHTTPClient]),
        tests(
            "InteropTests",
            [
                "GatewayTestSupport", "Cryptography", "WhatsAppProtobuf", "Transport", "Signal", "Messaging", "Storage",
                "Gateway", "Sandbox",
                nioCore,
            ]),
        tests(
            "EndToEndTests",
            [
                "switchboard", "Database", "Storage", "Signal", "Cryptography", "TestSupport", asyncHTTPClient, nioCore,
                nioHTTP1,
            ]),
    ]
)
