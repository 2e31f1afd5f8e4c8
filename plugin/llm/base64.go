package llm

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// appendBase64 appends src as RFC 4648's base64 with padding.
func appendBase64(dst, src []byte) []byte {
	for ; len(src) >= 3; src = src[3:] {
		w := uint32(src[0])<<16 | uint32(src[1])<<8 | uint32(src[2])
		dst = append(dst, base64Digits[w>>18], base64Digits[w>>12&63], base64Digits[w>>6&63], base64Digits[w&63])
	}
	switch len(src) {
	case 1:
		w := uint32(src[0]) << 16
		dst = append(dst, base64Digits[w>>18], base64Digits[w>>12&63], '=', '=')
	case 2:
		w := uint32(src[0])<<16 | uint32(src[1])<<8
		dst = append(dst, base64Digits[w>>18], base64Digits[w>>12&63], base64Digits[w>>6&63], '=')
	}
	return dst
}
