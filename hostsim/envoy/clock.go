package envoy

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A clock is the wall clock of one Envoy, set by the test: clock/clock.c maps
// the same file. It stands still between two settings. It is safe for use by
// several goroutines.
type clock struct {
	path string
	page []byte
	wall *atomic.Int64 // the page's first bytes, ns since 1970
}

// newClock makes a clock that stands at now, in a file of that path.
func newClock(path string, now time.Time) (*clock, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const size = int(unsafe.Sizeof(atomic.Int64{}))
	if err := file.Truncate(int64(size)); err != nil {
		return nil, err
	}
	page, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	c := &clock{path: path, page: page, wall: (*atomic.Int64)(unsafe.Pointer(&page[0]))}
	c.set(now)
	return c, nil
}

// set moves the clock, forward or back.
func (c *clock) set(now time.Time) { c.wall.Store(now.UnixNano()) }

// now is what the clock shows.
func (c *clock) now() time.Time { return time.Unix(0, c.wall.Load()).UTC() }

// environment is what makes a process read the clock.
func (c *clock) environment() ([]string, error) {
	library, err := find("build/clock.so")
	if err != nil {
		return nil, err
	}
	return []string{"LD_PRELOAD=" + library, "FAIRSHARE_CLOCK=" + c.path}, nil
}

// close frees the clock. It must not be used after that.
func (c *clock) close() error {
	if c.page == nil {
		return errors.New("envoy: the clock is closed")
	}
	page := c.page
	c.page, c.wall = nil, nil
	return syscall.Munmap(page)
}
