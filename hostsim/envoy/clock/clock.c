/*
 * A wall clock that a test sets. Preloaded into a process, it answers
 * CLOCK_REALTIME from an 8-byte file that the test maps too: nanoseconds since
 * the epoch, in the machine's byte order, 0 for the true time. All other clocks,
 * and with them the process's timers, are left alone.
 *
 * Debian's libfaketime 0.9.10 would do it by reading a file at each call, but
 * Envoy 1.40 hangs under it, even at --version. Here nothing is looked up and
 * nothing is allocated.
 *
 * FAIRSHARE_CLOCK names the file; without it the clock is the true one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *wall;

__attribute__((constructor)) static void map_clock(void) {
	const char *path = getenv("FAIRSHARE_CLOCK");
	if (path == NULL)
		return;
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	void *page = mmap(NULL, sizeof *wall, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		wall = page;
}

static int64_t fake(clockid_t id) {
	if (wall == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return 0;
	return __atomic_load_n(wall, __ATOMIC_SEQ_CST);
}

int clock_gettime(clockid_t id, struct timespec *ts) {
	int64_t now = fake(id);
	if (now == 0)
		return syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = now / 1000000000;
	ts->tv_nsec = now % 1000000000;
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
	struct timespec ts;
	(void)tz;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out) {
	struct timespec ts;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return -1;
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
