/// The version of portwhy, the one place it is written.
public let portwhyVersion = "0.2.0"
