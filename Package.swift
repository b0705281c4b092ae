// swift-tools-version: 6.2
import PackageDescription

// The three walls of the house, kept by the compiler: what the kernel said (Netlink, Evidence),
// what we conclude (BindRules), how we say it (Explanation, PortwhyReport). Arrows point down only.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

// Pointers live in `Linux` and `Supervisor`, and in the one file of `Netlink` where libmnl hands out its buffers.
let safe = strict + [.strictMemorySafety()]

func house(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = safe) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
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
    // The library, one import: PortwhyKit exports Answers (question, report, Portwhy) and PortwhyReport (the report as text
    // and as JSON) with the values of SocketModel, BindRules and Explanation that a report is made of, so that the walls
    // between these targets stay inside. Foundation is not behind it.
    .library(name: "PortwhyKit", targets: ["PortwhyKit"]),
    // For Fuzzing/ alone, which has a package of its own.
    .library(name: "PortwhyCLI", targets: ["PortwhyCLI"]),
  ],
  targets: [
    .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    .target(name: "CLinux", publicHeadersPath: "."),
    .target(name: "CArguments"),
    house("SocketModel"),
    house("BindRules", ["SocketModel"]),
    house("Linux", ["CLinux", "SocketModel"], settings: strict),
    house("Netlink", ["CMnl", "Linux", "SocketModel"]),
    house("Evidence", ["BindRules", "Linux", "Netlink", "SocketModel"]),
    house("Explanation", ["BindRules", "SocketModel"]),
    house("Answers", ["BindRules", "Evidence", "Explanation", "Linux", "Netlink", "SocketModel"]),
    house("PortwhyReport", ["Answers", "BindRules", "Explanation", "SocketModel"]),
    house("PortwhyKit", ["Answers", "BindRules", "Explanation", "Linux", "PortwhyReport", "SocketModel"]),
    // What happens beside a command that runs: `portwhy -- COMMAND`.
    house("Supervisor", ["CLinux", "Evidence", "Linux", "SocketModel"], settings: strict),
    house(
      "PortwhyCLI",
      [
        "Answers", "Evidence", "Linux", "Supervisor", "PortwhyReport", "Explanation", "BindRules", "SocketModel",
      ]),
    .executableTarget(name: "portwhy", dependencies: ["CArguments", "Linux", "PortwhyCLI"], swiftSettings: safe),

    // Test support and tools, in no product: real sockets in private network namespaces, the conformance runner, the
    // bench, and the short-lived servers and crowds of processes of the tests that need them.
    support("CProcessTestSupport"),
    .executableTarget(name: "hostile", path: "Tests/Support/hostile"),
    .systemLibrary(name: "CBPFTests", path: "Tests/Support/CBPFTests"),
    support("BSDModel", settings: strict),
    support("JSONTestSupport", settings: strict),
    support("FixtureTestSupport", settings: strict),
    support("NetlinkTestSupport", ["CLinux", "Netlink", "SocketModel"], settings: strict),
    .systemLibrary(name: "CKernelLab", path: "Tests/Support/CKernelLab"),
    support("KernelLab", ["BindRules", "CKernelLab", "Netlink", "SocketModel"], settings: strict),
    tool(
      "conformance", ["BindRules", "Explanation", "KernelLab", "Answers", "PortwhyReport", "SocketModel"],
      settings: strict),
    tool("bench", ["CKernelLab", "KernelLab", "SocketModel"], settings: strict),
    tool("churn"),
    // Programs that bind, for the tests of `portwhy -- COMMAND`.
    .executableTarget(name: "binder", path: "Tests/Support/binder"),

    tests("KernelLabTests", ["BindRules", "KernelLab", "SocketModel"]),
    tests(
      "KernelConformanceTests", ["Answers", "BSDModel", "BindRules", "Explanation", "KernelLab", "SocketModel"]),
    tests("SocketModelTests", ["SocketModel"]),
    tests(
      "BindRulesTests", ["BSDModel", "BindRules", "FixtureTestSupport", "SocketModel"], exclude: ["Golden"]),
    tests(
      "AnswersTests",
      [
        "BindRules", "CLinux", "Evidence", "Explanation", "KernelLab", "Linux", "Netlink", "Answers",
        "SocketModel",
      ]),
    tests("PortwhyKitTests", ["PortwhyKit"]),
    tests("LinuxTests", ["CLinux", "CProcessTestSupport", "Linux", "SocketModel"]),
    tests("NetlinkTests", ["FixtureTestSupport", "Linux", "Netlink", "NetlinkTestSupport", "SocketModel"]),
    tests(
      "EvidenceTests",
      [
        "BindRules", "CBPFTests", "CLinux", "CProcessTestSupport", "Evidence", "KernelLab", "Linux", "Netlink",
        "NetlinkTestSupport", "SocketModel",
      ]),
    tests(
      "ExplanationTests",
      [
        "BindRules", "Evidence", "Explanation", "FixtureTestSupport", "KernelLab", "Netlink", "Answers",
        "PortwhyReport", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyReportTests",
      [
        "BindRules", "FixtureTestSupport", "JSONTestSupport", "KernelLab", "Explanation", "Answers",
        "PortwhyReport", "SocketModel",
      ],
      exclude: ["Golden"]),
    tests(
      "PortwhyCLITests",
      [
        "Answers", "BindRules", "CArguments", "Explanation", "Linux", "PortwhyCLI", "SocketModel",
      ]),
    // Runs the built binary, which SwiftPM builds before any test.
    tests(
      "EndToEndTests",
      [
        "BindRules", "CProcessTestSupport", "JSONTestSupport", "KernelLab", "Explanation", "Answers",
        "PortwhyReport", "SocketModel",
      ]),
  ]
)
