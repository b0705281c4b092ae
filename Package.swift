// swift-tools-version: 6.2
import PackageDescription

// The three walls of the house, kept by the compiler: what the kernel said (the evidence targets),
// what we conclude (BindRules), how we say it (Explanation, PortwhyReport). Arrows point down only.
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

func support(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Tests/Support/\(name)", swiftSettings: settings)
}

func tool(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = []) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: "Tools/\(name)", swiftSettings: settings)
}

let package = Package(
  name: "portwhy",
  products: [
    .executable(name: "portwhy", targets: ["portwhy"]),
    // The library: answers as data (PortwhyKit, with the types of the others) and as text (PortwhyReport). Neither
    // ArgumentParser nor Foundation is behind it.
    .library(
      name: "PortwhyKit", targets: ["PortwhyKit", "PortwhyReport", "Explanation", "BindRules", "SocketModel"]),
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
    house("Explanation", ["BindRules", "SocketModel"]),
    house(
      "PortwhyKit",
      [
        "BPFEvidence", "BindProbe", "BindRules", "HostEvidence", "Netlink", "Explanation", "ProcessEvidence",
        "SocketModel",
      ]),
    house("PortwhyReport", ["BindRules", "Explanation", "PortwhyKit", "SocketModel"]),
    .target(name: "CArguments"),
    // What happens beside a command that runs: `portwhy -- COMMAND`.
    .target(name: "CSupervisor"),
    house("Supervisor", ["CSupervisor", "ProcessEvidence", "SocketModel"]),
    house(
      "PortwhyCLI",
      [
        "CArguments", "PortwhyKit", "PortwhyReport", "Explanation", "ProcessEvidence", "BindRules",
        "SocketModel", "Supervisor",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "portwhy", dependencies: ["PortwhyCLI"], swiftSettings: strict),

    // Test support and tools, in no product: real sockets in private network namespaces, the conformance runner, the
    // bench, and the short-lived servers and crowds of processes of the tests that need them.
    support("CProcessTestSupport"),
    .systemLibrary(name: "CBPFTests", path: "Tests/Support/CBPFTests"),
    support("JSONTestSupport", settings: strict),
    support("FixtureTestSupport", settings: strict),
    support("NetlinkTestSupport", ["CNetlink", "Netlink", "NetlinkWire", "SocketModel"], settings: strict),
    .systemLibrary(name: "CKernelLab", path: "Tests/Support/CKernelLab"),
    support("KernelLab", ["BindRules", "CKernelLab", "SocketModel"], settings: strict),
    tool("conformance", ["BindRules", "KernelLab", "PortwhyKit", "SocketModel"], settings: strict),
    tool("bench", ["CKernelLab", "KernelLab", "SocketModel"], settings: strict),
    tool("churn"),
    // Programs that bind, for the tests of `portwhy -- COMMAND`.
    .executableTarget(name: "binder", path: "Tests/Support/binder"),

    tests("KernelLabTests", ["BindRules", "KernelLab", "SocketModel"]),
    tests("KernelConformanceTests", ["BindRules", "KernelLab", "PortwhyKit", "SocketModel"]),
    tests("SocketModelTests", ["SocketModel"]),
    tests("BindRulesTests", ["BindRules", "SocketModel"]),
    tests("BindProbeTests", ["BindProbe", "BindRules", "KernelLab", "SocketModel"]),
    tests(
      "PortwhyKitTests",
      [
        "BPFEvidence", "BindProbe", "BindRules", "CNetlink", "HostEvidence", "KernelLab", "Netlink",
        "Explanation",
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
      "ExplanationTests",
      [
        "BindRules", "FixtureTestSupport", "KernelLab", "Netlink", "Explanation", "PortwhyKit",
        "PortwhyReport", "ProcessEvidence", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyReportTests",
      [
        "BindRules", "FixtureTestSupport", "JSONTestSupport", "KernelLab", "Explanation", "PortwhyKit",
        "PortwhyReport", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyCLITests",
      [
        "BindRules", "PortwhyCLI", "Explanation", "PortwhyKit", "SocketModel",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // Runs the built binary, which SwiftPM builds before any test.
    tests(
      "EndToEndTests",
      [
        "BindRules", "CProcessTestSupport", "JSONTestSupport", "KernelLab", "Explanation", "PortwhyKit",
        "PortwhyReport", "SocketModel",
      ]),

    tests("BPFEvidenceTests", ["BPFEvidence", "CBPF", "CBPFTests", "SocketModel"]),
  ]
)
