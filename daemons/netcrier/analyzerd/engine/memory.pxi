# Memory of the table: few conversations or millions, looked at in no order.

cdef extern from *:
    """
    #include <stdlib.h>
    #include <sys/mman.h>
    /* Memory for random access: in huge pages where the kernel has them, so that a look costs no walk through page
       tables. Untouched pages take none. */
    static void* netcrier_wide_pages(size_t size) {
        const size_t huge = (size_t)2 << 20;
        void* place = NULL;
        if (size < huge)
            return malloc(size);
        if (posix_memalign(&place, huge, (size + huge - 1) & ~(huge - 1)))
            return NULL;
    #ifdef MADV_HUGEPAGE
        madvise(place, (size + huge - 1) & ~(huge - 1), MADV_HUGEPAGE);
    #endif
        return place;
    }
    /* Ask for a place that will be looked at soon. The empty statement keeps compilers from leaving out a function that
       does nothing else. */
    static inline void netcrier_fetch(const void* place) {
        __builtin_prefetch(place);
        __asm__ volatile("");
    }
    """
    void fetch_ahead "netcrier_fetch"(const void* place) noexcept nogil
    void* wide_pages "netcrier_wide_pages"(size_t size) noexcept nogil
