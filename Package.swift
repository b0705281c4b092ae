// swift-tools-version: 6.2
import PackageDescription

// The three walls of the house, kept by the compiler: what the kernel said (the evidence targets),
// what we conclude (BindRules), how we say it (PortwhyExplanation, PortwhyReport). Arrows point down only.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

func house(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "portwhy",
  products: [
    .executable(name: "portwhy", targets: ["portwhy"]),
    // The library: answers as data (PortwhyKit, with the types of the others) and as text (PortwhyReport). Neither
    // ArgumentParser nor Foundation is behind it.
    .library(
      name: "PortwhyKit", targets: ["PortwhyKit", "PortwhyReport", "PortwhyExplanation", "BindRules", "SocketModel"]),
    // For Fuzzing/ alone, which has a package of its own.
    .library(name: "PortwhyCLI", targets: ["PortwhyCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .systemLibrary(name: "CNetlink", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    house("SocketModel"),
    house("BindRules", ["SocketModel"]),
    house("NetlinkWire", ["SocketModel"]),
    house("Netlink", ["CNetlink", "NetlinkWire", "SocketModel"]),
    house("ProcessEvidence", ["CNetlink", "SocketModel"]),
    house("HostEvidence", ["CNetlink", "Netlink", "NetlinkWire", "SocketModel"]),
    house("BindProbe", ["BindRules", "SocketModel"]),
    .systemLibrary(name: "CBPF"),
    house("BPFEvidence", ["CBPF", "SocketModel"]),
    house("PortwhyExplanation", ["BindRules", "SocketModel"]),
    house(
      "PortwhyKit",
      [
        "BPFEvidence", "BindProbe", "BindRules", "HostEvidence", "Netlink", "PortwhyExplanation", "ProcessEvidence",
        "SocketModel",
      ]),
    house("PortwhyReport", ["BindRules", "PortwhyExplanation", "PortwhyKit", "SocketModel"]),
    .target(name: "CArguments"),
    // What happens beside a command that runs: `portwhy -- COMMAND`.
    .target(name: "CSupervisor"),
    house("Supervisor", ["CSupervisor", "ProcessEvidence", "SocketModel"]),
    house(
      "PortwhyCLI",
      [
        "CArguments", "PortwhyKit", "PortwhyReport", "PortwhyExplanation", "ProcessEvidence", "BindRules",
        "SocketModel", "Supervisor",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "portwhy", dependencies: ["PortwhyCLI"], swiftSettings: strict),

    // Test support, in no product: real sockets in private network namespaces.
    .target(name: "CProcessTestSupport", path: "Tests/CProcessTestSupport"),
    .systemLibrary(name: "CBPFTests", path: "Tests/CBPFTests"),
    .target(name: "JSONTestSupport", path: "Tests/JSONTestSupport", swiftSettings: strict),
    .target(name: "FixtureTestSupport", path: "Tests/FixtureTestSupport", swiftSettings: strict),
    .target(
      name: "NetlinkTestSupport", dependencies: ["CNetlink", "Netlink", "NetlinkWire", "SocketModel"],
      path: "Tests/NetlinkTestSupport", swiftSettings: strict),
    .systemLibrary(name: "CKernelLab"),
    house("KernelLab", ["BindRules", "CKernelLab", "SocketModel"]),
    .executableTarget(
      name: "conformance", dependencies: ["BindRules", "KernelLab", "PortwhyKit", "SocketModel"],
      swiftSettings: strict),
    .executableTarget(
      name: "bench", dependencies: ["CKernelLab", "KernelLab", "SocketModel"], swiftSettings: strict),

    // Short-lived servers and crowds of processes, for the tests that need them.
    .executableTarget(name: "churn"),

    tests("KernelLabTests", ["BindRules", "KernelLab", "SocketModel"]),
    tests("KernelConformanceTests", ["BindRules", "KernelLab", "PortwhyKit", "SocketModel"]),
    tests("SocketModelTests", ["SocketModel"]),
    tests("BindRulesTests", ["BindRules", "SocketModel"]),
    tests("BindProbeTests", ["BindProbe", "BindRules", "KernelLab", "SocketModel"]),
    tests(
      "PortwhyKitTests",
      [
        "BPFEvidence", "BindProbe", "BindRules", "CNetlink", "HostEvidence", "KernelLab", "Netlink",
        "PortwhyExplanation",
        "PortwhyKit",
        "SocketModel",
      ]),
    tests("NetlinkWireTests", ["FixtureTestSupport", "NetlinkWire", "SocketModel"]),
    tests(
      "NetlinkTests",
      ["CNetlink", "FixtureTestSupport", "Netlink", "NetlinkTestSupport", "NetlinkWire", "SocketModel"]),
    tests(
      "HostEvidenceTests",
      ["CNetlink", "HostEvidence", "Netlink", "NetlinkTestSupport", "NetlinkWire", "SocketModel"]),
    tests("ProcessEvidenceTests", ["CProcessTestSupport", "ProcessEvidence", "SocketModel"]),
    tests(
      "PortwhyExplanationTests",
      [
        "BindRules", "FixtureTestSupport", "KernelLab", "Netlink", "PortwhyExplanation", "PortwhyKit",
        "PortwhyReport", "ProcessEvidence", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyReportTests",
      [
        "BindRules", "FixtureTestSupport", "JSONTestSupport", "KernelLab", "PortwhyExplanation", "PortwhyKit",
        "PortwhyReport", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyCLITests",
      [
        "BindRules", "PortwhyCLI", "PortwhyExplanation", "PortwhyKit", "SocketModel",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // Runs the built binary, which SwiftPM builds before any test.
    tests(
      "EndToEndTests",
      [
        "BindRules", "CProcessTestSupport", "JSONTestSupport", "KernelLab", "PortwhyExplanation", "PortwhyKit",
        "PortwhyReport", "SocketModel",
      ]),

    tests("BPFEvidenceTests", ["BPFEvidence", "CBPF", "CBPFTests", "SocketModel"]),
  ]
)
