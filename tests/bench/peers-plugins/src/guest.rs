//! Loading the guest. It is built for the target that the project's plugins have, whose standard library imports WASI 0.2;
//! Extism knows nothing of that, so each of these imports is a function that refuses: the guest never calls them.

use std::path::Path;

use extism::{Function, Manifest, Plugin, PluginBuilder, UserData, ValType, Wasm};
use wasmparser::{FuncType, Parser, Payload, TypeRef};

pub(crate) fn load(path: &Path) -> anyhow::Result<Plugin> {
    let module = std::fs::read(path)?;
    let functions = refusals(&module)?;
    let manifest = Manifest::new([Wasm::data(module)]);
    PluginBuilder::new(manifest).with_wasi(false).with_functions(functions).build()
}

fn refusals(module: &[u8]) -> anyhow::Result<Vec<Function>> {
    let mut types: Vec<FuncType> = Vec::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section.into_iter_err_on_gc_types() {
                    types.push(group?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let TypeRef::Func(number) = import.ty else { continue };
                    let form = types.get(number as usize);
                    if let Some(form) = form.filter(|_| !import.module.starts_with("extism:")) {
                        functions.push(refusal(import.module, import.name, form));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(functions)
}

fn refusal(module: &str, name: &str, form: &FuncType) -> Function {
    let call = format!("{module} {name}");
    let values = |types: &[wasmparser::ValType]| types.iter().map(value).collect::<Vec<_>>();
    let refuse = move |_: &mut extism::CurrentPlugin,
                       _: &[extism::Val],
                       _: &mut [extism::Val],
                       _: UserData<()>| Err(anyhow::anyhow!("{call} is not to be had"));
    Function::new(name, values(form.params()), values(form.results()), UserData::new(()), refuse)
        .with_namespace(module)
}

fn value(of: &wasmparser::ValType) -> ValType {
    match of {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(_) => ValType::ExternRef,
    }
}
