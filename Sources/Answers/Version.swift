extension Portwhy {
  /// The version of portwhy, the one place it is written.
  public static let version = "0.2.0"
}
