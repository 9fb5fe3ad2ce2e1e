import Basics

/// `tchar` of RFC 9110 section 5.6.2, as one bit set for each 64 of the ASCII bytes.
@inline(__always)
func isTokenByte(_ byte: UInt8) -> Bool {
  byte < 128 && (byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE as UInt64) >> UInt64(byte & 63) & 1 == 1
}

/// `field-vchar`, space and tab: also bytes from 0x80 up, which RFC 9110 section 5.5 asks to treat as opaque.
@inline(__always)
func isFieldValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

/// What may stand in a request target: visible ASCII. `#` never travels (RFC 9112 section 3.2).
@inline(__always)
func isTargetByte(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F && byte != 0x23 }

@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte &+ 32 : byte }

func equalIgnoringCase(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
  ASCII.equalIgnoringCase(a, b)
}
