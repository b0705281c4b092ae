// swift-tools-version: 6.2
import PackageDescription

// Built by scripts/fuzz, which brings the sanitizers: the parsers are fuzzed as they are, so the modules they live in
// are imported with @testable.
let package = Package(
  name: "portwhy-fuzzing",
  dependencies: [.package(name: "portwhy", path: "..")],
  targets: [
    .systemLibrary(name: "CLibFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: [
        "CLibFuzzer",
        .product(name: "PortwhyKit", package: "portwhy"),
        .product(name: "PortwhyCLI", package: "portwhy"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]),
  ]
)
