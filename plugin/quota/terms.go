package quota

import (
	"encoding/binary"

	"fairshare/plugin/unit"
)

// Terms are what a model group allows, from the configuration; NewTerms makes
// them. They are not changed here.
type Terms struct {
	Key      string      // where the group's book lies in the store
	TPM      unit.Tokens // tokens a minute, the sum over its deployments
	RPM      int64       // requests a minute, likewise
	LimitTPM bool        // whether TPM limits anything; false is no limit
	LimitRPM bool
	Pools    Pools   // that priorities reserve; none lets keys share it
	Shadow   Reasons // those of the two limits that refuse nobody, of those that there are; see Verdict.Would
	// Hard are the weights of priorities whose claims are Hard, in millionths by
	// Claim.Pool: only for reports.
	Hard []uint32
	id   uint64 // groupID of Key
}

// KeyID shortens a virtual key's sha256 to the id of its line. Two of n keys
// share an id with a chance of about n²/2⁶⁵.
func KeyID(hash *[32]byte) uint64 {
	id := binary.LittleEndian.Uint64(hash[:8])
	if isCrowd(id) {
		id = 1
	}
	return id
}

// A Claim is what one request wants of a model group.
type Claim struct {
	Key    uint64      // KeyID of the caller's key
	Weight uint32      // millionths: its part among the keys it shares with
	Pool   uint8       // index of the priority, below MaxPools; NoPool without one
	Hard   bool        // the weight is also the most that the pool may take; not with Terms.Pools
	Ask    Ask         // for the estimate
	Exact  unit.Tokens // > 0: what the answer will use is known, no estimate needed
	Counts Counting    // of the estimate; Exact is counted already

	// Meters are what the caller's subjects may use, at most MaxMeters, each
	// once. Price says what tokens cost; nil costs nothing.
	Meters []*Meter
	Price  Price
	// Costless tells that the model costs nothing, whatever is asked: no budget
	// refuses it.
	Costless bool

	paid *Spent // the answer is known and settled with the admission
}

// Counting says which of a request's tokens count for limits.
type Counting uint8

// The countings.
const (
	CountTotal Counting = iota
	CountInput
	CountOutput
)

// A Price tells what tokens cost, for holds.
type Price interface {
	Estimate(input, output unit.Tokens) unit.PicoUSD
}

// Everybody is the Key of a claim that needs no line of its own.
const Everybody = 0

// NoPool is the pool of keys without a priority.
const NoPool = 0xFF

// An Ask is the size of a request as far as it can be known beforehand.
type Ask struct {
	TextBytes   int64       // bytes of text that the model will read
	MediaTokens unit.Tokens // of pictures, sounds and files beside it, by their providers' rules
	MaxOutput   unit.Tokens // most tokens that the answer may have, over all choices
	Capped      bool        // whether MaxOutput is a cap to every server; if not it may be one to some, or 0
	Choices     int64       // how many answers it wants at once; 0 is 1
}

// groupPrefix is ours alone: Istio gives all plugins of a proxy one namespace.
const groupPrefix = "fs/m/"

// NewTerms returns the terms of a model group that allows tpm tokens and rpm
// requests a minute, each only if limited.
func NewTerms(modelGroup string, tpm, rpm int64, limitTPM, limitRPM bool) Terms {
	key := groupPrefix + modelGroup
	return Terms{Key: key, TPM: unit.Tokens(tpm), RPM: rpm, LimitTPM: limitTPM, LimitRPM: limitRPM, id: groupID(key)}
}
