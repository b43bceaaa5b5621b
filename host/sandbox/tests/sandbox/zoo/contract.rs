//! What the contract in `wit/` says that each kind exports and imports: the rows of the matrices.

use std::path::Path;

use telemetry_sandbox::PluginKind;
use wit_parser::{Function, FunctionKind, InterfaceId, Resolve, Type, TypeDefKind, WorldId, WorldItem};

pub(super) const KINDS: [PluginKind; 4] =
    [PluginKind::Validator, PluginKind::Aggregator, PluginKind::Monitor, PluginKind::Sink];

/// One function that plugins of a kind export.
#[derive(Clone, Debug, Default)]
pub(super) struct Export {
    pub(super) name: String,
    /// It may answer an error.
    pub(super) fails: bool,
    /// Its answer has lists, strings, JSON or floating point numbers in it.
    pub(super) lists: bool,
    pub(super) strings: bool,
    pub(super) json: bool,
    pub(super) floats: bool,
}

pub(super) struct Contract {
    resolve: Resolve,
}

impl Contract {
    pub(super) fn read() -> Self {
        let mut resolve = Resolve::default();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/bridge-telemetry.wit");
        resolve.push_source("bridge-telemetry.wit", &std::fs::read_to_string(path).unwrap()).unwrap();
        Self { resolve }
    }

    fn world(&self, kind: PluginKind) -> WorldId {
        let mut worlds = self.resolve.worlds.iter();
        worlds.find(|(_, world)| world.name == kind.world()).unwrap().0
    }

    /// Everything that the host enters: functions, the ends of resources, and a start from a restored state.
    pub(super) fn exports(&self, kind: PluginKind) -> Vec<Export> {
        let mut exports = Vec::new();
        for (_, item) in &self.resolve.worlds[self.world(kind)].exports {
            let WorldItem::Interface { id, .. } = item else { panic!("an export that is no interface") };
            exports.extend(self.functions(*id));
            let resources = self.resolve.interfaces[*id].types.values();
            let ends = resources.filter(|id| matches!(self.resolve.types[**id].kind, TypeDefKind::Resource));
            exports.extend(ends.map(|_| Export { name: "drop".to_owned(), ..Export::default() }));
        }
        let init = exports.iter().find(|export| export.name == "init").unwrap().clone();
        exports.push(Export { name: "init-restored".to_owned(), ..init });
        exports
    }

    fn functions(&self, interface: InterfaceId) -> Vec<Export> {
        let functions = self.resolve.interfaces[interface].functions.values();
        functions
            .map(|function| {
                let mut export = Export { name: name_of(function).to_owned(), ..Export::default() };
                if let Some(answer) = &function.result {
                    self.look_into(answer, &mut export);
                }
                export
            })
            .collect()
    }

    fn look_into(&self, answer: &Type, export: &mut Export) {
        let id = match answer {
            Type::String => return export.strings = true,
            Type::F64 => return export.floats = true,
            Type::Id(id) => *id,
            _ => return,
        };
        match &self.resolve.types[id].kind {
            TypeDefKind::Result(result) => {
                export.fails |= result.err.is_some();
                result.ok.iter().for_each(|ok| self.look_into(ok, export));
            }
            TypeDefKind::List(inner) => {
                export.lists = true;
                self.look_into(inner, export);
            }
            TypeDefKind::Option(inner) | TypeDefKind::Type(inner) => self.look_into(inner, export),
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    export.json |= field.name.ends_with("json");
                    self.look_into(&field.ty, export);
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    export.json |= case.name == "json";
                    case.ty.iter().for_each(|inner| self.look_into(inner, export));
                }
            }
            TypeDefKind::Enum(_) | TypeDefKind::Handle(_) => {}
            other => panic!("a type that nobody thought of: {other:?}"),
        }
    }

    /// `INTERFACE.FUNCTION` of everything that a kind can call of the contract's own.
    pub(super) fn imports(&self, kind: PluginKind) -> Vec<String> {
        let mut imports = Vec::new();
        for (_, item) in &self.resolve.worlds[self.world(kind)].imports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = &self.resolve.interfaces[*id];
            let name = interface.name.as_deref().unwrap();
            let of = |function: &Function| format!("{name}.{}", name_of(function));
            imports.extend(interface.functions.values().map(of));
        }
        imports
    }
}

/// The name without the resource's that the function belongs to.
fn name_of(function: &Function) -> &str {
    match function.kind {
        FunctionKind::Freestanding => &function.name,
        _ => function.name.rsplit('.').next().unwrap(),
    }
}
