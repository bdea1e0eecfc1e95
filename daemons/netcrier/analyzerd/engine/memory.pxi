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
    """
    void* wide_pages "netcrier_wide_pages"(size_t size) noexcept nogil
