import CFuzzer

public typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Gives the process to libFuzzer, which calls `test` until its time is up or something is found.
public func fuzz(
  _ count: CInt, _ arguments: Arguments?, _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt {
  var count = count
  var arguments = arguments
  return LLVMFuzzerRunDriver(&count, &arguments, test)
}

public func bytes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
  Array(UnsafeBufferPointer(start: start, count: count))
}

/// What must hold for every input. libFuzzer keeps the input for which it does not.
public func check(_ condition: Bool, _ message: @autoclosure () -> String) {
  guard !condition else { return }
  fatalError(message())
}
