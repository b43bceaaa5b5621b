//! A core module of a world that does nothing: it imports all that the world has and exports all that it must.
#![allow(clippy::indexing_slicing, reason = "the build reads its own contract, and ids come from it")]

use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function as Body, FunctionSection, ImportSection,
    Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_bindgen_core::abi::{AbiVariant, WasmType, guest_export_needs_post_return};
use wit_parser::{
    Function, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, TypeId, WasmExport,
    WasmExportKind, WasmImport, WorldId, WorldItem, WorldKey,
};

const MANGLING: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// Sections that are being filled.
#[derive(Default)]
struct Stub {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    type_count: u32,
    imported: u32,
    defined: u32,
}

/// The module of `world`.
pub(crate) fn module(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let world = &resolve.worlds[world];
    let mut stub = Stub::default();
    for (key, item) in &world.imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = &resolve.interfaces[*id];
        for func in interface.functions.values() {
            let import = WasmImport::Func { interface: Some(key), func };
            let (params, results) = signature(resolve, AbiVariant::GuestImport, func);
            stub.import(resolve, import, params, results);
        }
        for resource in interface.types.values().filter(|id| is_resource(resolve, **id)) {
            let intrinsic = ResourceIntrinsic::ImportedDrop;
            let import =
                WasmImport::ResourceIntrinsic { interface: Some(key), resource: *resource, intrinsic };
            stub.import(resolve, import, vec![ValType::I32], vec![]);
        }
    }
    let exports: Vec<_> = world
        .exports
        .iter()
        .filter_map(|(key, item)| match item {
            WorldItem::Interface { id, .. } => Some((key, &resolve.interfaces[*id])),
            _ => None,
        })
        .collect();
    // All imports come before what is defined here.
    for (key, interface) in &exports {
        for resource in interface.types.values().filter(|id| is_resource(resolve, **id)) {
            for (intrinsic, results) in [
                (ResourceIntrinsic::ExportedDrop, vec![]),
                (ResourceIntrinsic::ExportedNew, vec![ValType::I32]),
                (ResourceIntrinsic::ExportedRep, vec![ValType::I32]),
            ] {
                let import =
                    WasmImport::ResourceIntrinsic { interface: Some(key), resource: *resource, intrinsic };
                stub.import(resolve, import, vec![ValType::I32], results);
            }
        }
    }
    for (key, interface) in &exports {
        for func in interface.functions.values() {
            stub.export_function(resolve, key, func);
        }
        for resource in interface.types.values().filter(|id| is_resource(resolve, **id)) {
            let name = WasmExport::ResourceDtor { interface: key, resource: *resource };
            stub.export(&resolve.wasm_export_name(MANGLING, name), vec![ValType::I32], vec![]);
        }
    }
    let realloc = resolve.wasm_export_name(MANGLING, WasmExport::Realloc);
    stub.export(&realloc, vec![ValType::I32; 4], vec![ValType::I32]);
    let initialize = resolve.wasm_export_name(MANGLING, WasmExport::Initialize);
    stub.export(&initialize, vec![], vec![]);
    stub.exports.export(&resolve.wasm_export_name(MANGLING, WasmExport::Memory), ExportKind::Memory, 0);
    stub.finish()
}

impl Stub {
    fn type_of(&mut self, params: Vec<ValType>, results: Vec<ValType>) -> u32 {
        self.types.ty().function(params, results);
        self.type_count += 1;
        self.type_count - 1
    }

    fn import(
        &mut self,
        resolve: &Resolve,
        import: WasmImport<'_>,
        params: Vec<ValType>,
        results: Vec<ValType>,
    ) {
        let (module, name) = resolve.wasm_import_name(MANGLING, import);
        let of = self.type_of(params, results);
        self.imports.import(&module, &name, EntityType::Function(of));
        self.imported += 1;
    }

    fn export_function(&mut self, resolve: &Resolve, key: &WorldKey, func: &Function) {
        let name =
            |kind| resolve.wasm_export_name(MANGLING, WasmExport::Func { interface: Some(key), func, kind });
        let (params, results) = signature(resolve, AbiVariant::GuestExport, func);
        // What it answers is given back once it was read.
        let given_back = guest_export_needs_post_return(resolve, func).then(|| results.clone());
        self.export(&name(WasmExportKind::Normal), params, results);
        if let Some(results) = given_back {
            self.export(&name(WasmExportKind::PostReturn), results, vec![]);
        }
    }

    fn export(&mut self, name: &str, params: Vec<ValType>, results: Vec<ValType>) {
        let of = self.type_of(params, results);
        self.functions.function(of);
        let mut body = Body::new([]);
        body.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
        self.code.function(&body);
        self.exports.export(name, ExportKind::Func, self.imported + self.defined);
        self.defined += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&memories)
            .section(&self.exports)
            .section(&self.code);
        module.finish()
    }
}

fn signature(resolve: &Resolve, variant: AbiVariant, func: &Function) -> (Vec<ValType>, Vec<ValType>) {
    let signature = resolve.wasm_signature(variant, func);
    let types = |types: &[WasmType]| types.iter().map(value_type).collect();
    (types(&signature.params), types(&signature.results))
}

fn value_type(of: &WasmType) -> ValType {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

fn is_resource(resolve: &Resolve, id: TypeId) -> bool {
    matches!(resolve.types[id].kind, TypeDefKind::Resource)
}
