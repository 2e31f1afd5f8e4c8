package quota_test

import (
	"testing"

	"fairshare/plugin/quota"
	"fairshare/plugin/quota/quotatest"
)

func TestMemory(t *testing.T) {
	quotatest.TestStore(t, func(*testing.T) quota.Store { return new(quota.Memory) })
}

func TestMemoryAsKongMeansIt(t *testing.T) {
	quotatest.TestStore(t, func(*testing.T) quota.Store { return &kong{cells: map[string]*kongCell{}} })
}

// kong is a store with the swap rules of Kong's host: the number must be the
// present one, and 0 exactly when the key is absent (ngx_wa_shm_kv.c).
type kong struct{ cells map[string]*kongCell }

type kongCell struct {
	value []byte
	cas   uint32
}

func (k *kong) Get(key string) ([]byte, uint32, quota.Status) {
	c := k.cells[key]
	if c == nil {
		return nil, 0, quota.NotFound
	}
	return append([]byte(nil), c.value...), c.cas, quota.OK
}

func (k *kong) Set(key string, value []byte, cas uint32) quota.Status {
	c := k.cells[key]
	if c == nil {
		if cas != 0 {
			return quota.Mismatch
		}
		c = new(kongCell)
		k.cells[key] = c
	}
	if cas != c.cas {
		return quota.Mismatch
	}
	c.value, c.cas = append([]byte(nil), value...), c.cas+1
	return quota.OK
}
