// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "portwhy-examples",
  dependencies: [
    .package(name: "portwhy", path: ".."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
  ],
  targets: [
    .executableTarget(
      name: "explaining-server",
      dependencies: [
        .product(name: "PortwhyKit", package: "portwhy"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ])
  ]
)
