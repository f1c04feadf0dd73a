declare const brand: unique symbol;

/** A type of its own at compile time, a plain `T` at run time: ids that cannot be mixed up. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
