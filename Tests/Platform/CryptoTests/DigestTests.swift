import Basics
import Crypto
import Testing

@Suite struct DigestTests {
  @Test(
    "SHA-256 of the examples of FIPS 180-4",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ]) func sha256(_ text: String, _ digest: String)
  {
    #expect(Hex.encode(SHA256.hash(text.utf8)) == digest)
    #expect(Hex.encode(SHA256.hash(Array(text.utf8)[...])) == digest)
  }

  @Test(
    "HMAC-SHA-256 of RFC 4231",
    arguments: [
      (
        [UInt8](repeating: 0x0B, count: 20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
      ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ]) func hmac(_ key: [UInt8], _ message: String, _ code: String)
  {
    #expect(Hex.encode(HMAC.sha256(key: key, message: Array(message.utf8))) == code)
  }

  @Test("constant time equality is equality") func equality() {
    #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
    #expect(constantTimeEqual("abc".utf8, [0x61, 0x62, 0x63]))
    #expect(constantTimeEqual([UInt8](), [UInt8]()))
    #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
    #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    #expect(!constantTimeEqual([UInt8](), [0]))
  }

  @Test(
    "CRC-32C of RFC 3720 appendix B.4",
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([], 0), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
      (Array((0..<32).reversed()), 0x113F_DB5C),
    ] as [([UInt8], UInt32)]) func crc32c(_ bytes: [UInt8], _ value: UInt32)
  {
    #expect(CRC32C.checksum(bytes) == value)
    for cut in 0...bytes.count {
      var pieces = CRC32C()
      pieces.update(bytes[..<cut])
      pieces.update(bytes[cut...])
      #expect(pieces.value == value)
    }
  }
}

@Suite struct SealTests {
  private static let box = AES256GCM(key: [UInt8](repeating: 7, count: 32))

  @Test("what is sealed opens, with the same key and context only") func roundTrip() throws {
    let box = try #require(Self.box)
    for length in [0, 1, 15, 16, 17, 1000] {
      let text = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
      let sealed = box.seal(text, context: [1, 2])
      #expect(sealed.count == length + 28)
      #expect(box.open(sealed, context: [1, 2]) == text)
      #expect(box.open(sealed, context: [1, 3]) == nil)
      #expect(box.open(sealed) == nil)
      #expect(AES256GCM(key: [UInt8](repeating: 8, count: 32))?.open(sealed, context: [1, 2]) == nil)
    }
  }

  @Test("a changed or missing byte is noticed anywhere") func tampering() throws {
    let box = try #require(Self.box)
    let sealed = box.seal(Array("secret".utf8))
    for place in sealed.indices {
      var changed = sealed
      changed[place] ^= 1
      #expect(box.open(changed) == nil)
      #expect(box.open(Array(sealed[..<place])) == nil)
    }
  }

  @Test("the same text is never sealed the same way twice") func nonces() throws {
    let box = try #require(Self.box)
    #expect(box.seal([1]) != box.seal([1]))
  }

  @Test("opens what others sealed: test case 16 of the GCM specification (McGrew and Viega)") func vector() throws {
    let key = try #require(Hex.decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
    let context = try #require(Hex.decode("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    let sealed = try #require(
      Hex.decode(
        "cafebabefacedbaddecaf888"
          + "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          + "76fc6ece0f4e1768cddf8853bb2d551b"))
    let text = try #require(AES256GCM(key: key)?.open(sealed, context: context))
    #expect(
      Hex.encode(text)
        == "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
  }

  @Test("a key has 32 bytes") func keys() {
    #expect(AES256GCM(key: [UInt8](repeating: 0, count: 16)) == nil)
    #expect(AES256GCM(key: []) == nil)
  }
}
