//! The derive macro of thalweg's `Module` trait.
//!
//! ```text
//! #[derive(Module)]
//! struct Block { norm: LayerNorm, expand: Linear, #[module(skip)] scale: Rule, #[module(flatten)] rest: Rest }
//! ```
//! visits every field under its name, as PyTorch does. `#[module(skip)]` leaves a field out;
//! `#[module(flatten)]` visits it under the path of the struct itself. Fields of tuple structs are named `0`,
//! `1`, …; an enum visits the fields of the variant it is, a lone unnamed one under the enum's own path.
//!
//! A derive macro cannot see how its crate was reached, so there are two: [`Module`](macro@Module) names
//! `::thalweg_nn`, and [`FacadeModule`](macro@FacadeModule) names `::thalweg::nn`, which is what users of the
//! crate `thalweg` have. The facade exports the second under the name of the first. A crate that renames
//! either says `#[module(crate = "path::to::nn")]` on the struct.

use proc_macro::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, Index, LitStr, Path, Result, parse_macro_input,
};

/// Implements `thalweg_nn::Module`: see the crate's page.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    derive(input, "::thalweg_nn")
}

/// Implements `thalweg::nn::Module`: see the crate's page.
#[proc_macro_derive(FacadeModule, attributes(module))]
pub fn derive_facade_module(input: TokenStream) -> TokenStream {
    derive(input, "::thalweg::nn")
}

fn derive(input: TokenStream, home: &str) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input, home).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput, home: &str) -> Result<proc_macro2::TokenStream> {
    let home = home_of(&input, home)?;
    let arms = match &input.data {
        Data::Struct(data) => {
            let (pattern, visits) = fields(&data.fields, &home, false)?;
            vec![quote!(Self #pattern => { #(#visits)* })]
        }
        Data::Enum(data) => (data.variants.iter())
            .map(|variant| {
                let (name, lone) = (&variant.ident, variant.fields.len() == 1);
                let (pattern, visits) = fields(&variant.fields, &home, lone)?;
                Ok(quote!(Self::#name #pattern => { #(#visits)* }))
            })
            .collect::<Result<_>>()?,
        Data::Union(data) => {
            let message =
                "Module cannot be derived for a union: it does not say which field it holds";
            return Err(Error::new(data.union_token.span(), message));
        }
    };
    for parameter in input.generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#home::Module));
    }
    let (name, (impls, types, bounds)) = (&input.ident, input.generics.split_for_impl());
    // A match on an uninhabited enum needs `*self`; on any other it would move.
    let body = match arms.is_empty() {
        true => quote!(match *self {}),
        false => quote!(match self { #(#arms)* }),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #impls #home::Module for #name #types #bounds {
            #[allow(unused_variables)]
            fn visit(&self, visitor: &mut #home::Visitor<'_>) {
                #body
            }
        }
    })
}

/// The pattern that binds the fields that are visited, and their visits.
fn fields(
    fields: &Fields,
    home: &Path,
    lone: bool,
) -> Result<(proc_macro2::TokenStream, Vec<proc_macro2::TokenStream>)> {
    let (mut bindings, mut visits) = (Vec::new(), Vec::new());
    for (place, field) in fields.iter().enumerate() {
        let bound = format_ident!("field_{place}");
        let index = Index::from(place);
        let member =
            field.ident.as_ref().map_or(index.to_token_stream(), ToTokens::to_token_stream);
        let name = match &field.ident {
            Some(ident) => ident.to_string().trim_start_matches("r#").to_owned(),
            None => place.to_string(),
        };
        let transparent = lone && field.ident.is_none();
        let visit = match treatment(field)? {
            Treatment::Skip => continue,
            Treatment::Flatten => quote!(#home::Module::visit(#bound, visitor);),
            Treatment::Named if transparent => quote!(#home::Module::visit(#bound, visitor);),
            Treatment::Named => quote!(visitor.module(#name, #bound);),
        };
        bindings.push(quote!(#member: #bound));
        visits.push(visit);
    }
    Ok((quote!({ #(#bindings,)* .. }), visits))
}

enum Treatment {
    Named,
    Skip,
    Flatten,
}

fn treatment(field: &Field) -> Result<Treatment> {
    let mut treatment = Treatment::Named;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            treatment = match () {
                _ if meta.path.is_ident("skip") => Treatment::Skip,
                _ if meta.path.is_ident("flatten") => Treatment::Flatten,
                _ => return Err(meta.error("expected `skip` or `flatten`")),
            };
            Ok(())
        })?;
    }
    Ok(treatment)
}

fn home_of(input: &DeriveInput, default: &str) -> Result<Path> {
    let mut home = syn::parse_str(default)?;
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate = \"path::to::nn\"`"));
            }
            home = meta.value()?.parse::<LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    Ok(home)
}
