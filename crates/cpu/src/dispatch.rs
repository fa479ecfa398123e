//! One kernel body, two instantiations. Every elementwise kernel is written once, as an `#[inline(always)]`
//! function full of plain loops; [`isa_fn!`] compiles it for the portable baseline, AVX2 and AVX-512, where the
//! autovectoriser turns the same loops into wider code. All obey IEEE arithmetic operation by operation (Rust never
//! contracts `a * b + c` into a fused multiply-add), so all give the same bits.

/// Compiles a body once per instruction-set path and defines a function that selects among them.
///
/// ```text
/// isa_fn! {
///     /// `dst[i] = a[i] + b[i]`.
///     pub unsafe fn add(dst: *mut f32, a: *const f32, b: *const f32, n: usize) = add_body;
/// }
/// ```
///
/// defines `pub fn add(isa: Isa) -> unsafe fn(*mut f32, *const f32, *const f32, usize)`. The right-hand side is
/// anything that can be called with the listed arguments: an `#[inline(always)]` `unsafe fn` (with type parameters, if
/// given: `binary_body::<f64, Add>`), or a closure such as `|dst, a, n| map1(dst, a, n, |x| x * x)`. A
/// return type is allowed. What the body calls in its loops must be `#[inline(always)]` too: only inlined code is
/// compiled for the wider instruction set.
///
/// The returned pointer is unsafe to call: `isa` must be available on this machine
/// ([`Isa::is_available`](crate::isa::Isa::is_available)), and the body's own contract must hold.
macro_rules! isa_fn {
    ($(
        $(#[$meta:meta])*
        $vis:vis unsafe fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:expr;
    )*) => {$(
        $(#[$meta])*
        $vis fn $name(isa: $crate::isa::Isa) -> unsafe fn($($ty),*) $(-> $ret)? {
            #[allow(unused_unsafe, clippy::redundant_closure_call)]
            unsafe fn portable($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the body's contract.
                unsafe { ($body)($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(unused_unsafe, clippy::redundant_closure_call)]
            unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the body's contract, and has checked that the machine has AVX2 and FMA.
                unsafe { ($body)($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(unused_unsafe, clippy::redundant_closure_call)]
            unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the body's contract, and has checked that the machine has AVX-512.
                unsafe { ($body)($($arg),*) }
            }
            match isa {
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Isa::Avx2 => avx2,
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Isa::Avx512 => avx512,
                _ => portable,
            }
        }
    )*};
}

pub(crate) use isa_fn;

/// `dst[i] = f(a[i])` for `i` in `0..n`, to be inlined into the body of an [`isa_fn!`].
///
/// The case `dst == a` has a loop of its own: with one loop for both, the compiler's overlap check would send every
/// in-place call to scalar code.
///
/// # Safety
/// `a` is valid for reading and `dst` for writing `n` elements, and the two are either equal or do not overlap.
#[inline(always)]
pub(crate) unsafe fn map1<T: Copy>(dst: *mut T, a: *const T, n: usize, f: impl Fn(T) -> T) {
    if std::ptr::eq(dst, a) {
        // SAFETY: `dst` is valid for `n` elements, all initialised, as `a` is the same memory.
        for x in unsafe { std::slice::from_raw_parts_mut(dst, n) } {
            *x = f(*x);
        }
    } else {
        for i in 0..n {
            // SAFETY: both pointers are valid for `n` elements and `i < n`.
            unsafe { dst.add(i).write(f(a.add(i).read())) };
        }
    }
}
